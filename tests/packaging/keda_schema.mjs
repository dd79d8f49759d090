// Reads a ScaledObject as JSON from stdin and says what KEDA's schema has against it, as a JSON list.
import { pathToFileURL } from "node:url";

const { ScaledObject } = await import(pathToFileURL(`${process.argv[2]}/ScaledObject.js`));

let text = "";
for await (const chunk of process.stdin) text += chunk;
const found = [];
for (const document of JSON.parse(text)) {
  try {
    new ScaledObject(document).validate();
    found.push(null);
  } catch (error) {
    found.push(error.message);
  }
}
console.log(JSON.stringify(found));
