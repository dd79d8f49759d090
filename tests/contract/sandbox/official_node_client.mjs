// Runs the vendor's Node client against the address in the first argument.
import { createRequire } from 'node:module';

const [base, siteId, apiKey, modules] = process.argv.slice(2);
const { TrackClient, RegionUS } = createRequire(`${modules}/`)('customerio-node');
const cio = new TrackClient(siteId, apiKey, { url: `${base}/api/v1`, region: RegionUS });

await cio.identify('42', { email: 'a@example.com', plan: 'basic' });
await cio.identify("!'()*", { x: 1 });
await cio.track('42', { name: 'purchase', id: '01HB4HBDKTFWYZCK01DMRSWRFD', data: { price: 23.45 } });
await cio.track('42', { name: 'purchase', id: '01HB4HBDKTFWYZCK01DMRSWRFD', data: { price: 23.45 } });
await cio.trackAnonymous('anon-1', { name: 'viewed', data: {} });
await cio.trackPageView('42', '/home');
await cio.addDevice('42', 'd/1', 'ios', { last_used: 1 });
await cio.deleteDevice('42', 'd/1');
await cio.suppress('a b');
await cio.unsuppress('a b');
await cio.destroy('42');
let refusal = 'none';
try {
  await cio.identify('42', { myAttribute: 'x'.repeat(1001) });
} catch (error) {
  refusal = `${error.statusCode} ${error.message}`;
}
console.log(JSON.stringify({ refusal }));
