// What the page asks its server, and nobody else.

let session = null;

/** A refusal with the server's own words. */
export class Refused extends Error {
  constructor(status, answer) {
    super(answer?.text ?? `the server answers ${status}`);
    this.status = status;
    this.code = answer?.error ?? null;
    this.answer = answer;
  }
}

/** Return what this server may show, asking once. */
export async function openSession() {
  session ??= await get("/api/session");
  return session;
}

/** Return the JSON at a path. */
export async function get(path, signal = undefined) {
  return read(await fetch(path, { signal, headers: { accept: "application/json" } }));
}

/** Send JSON and return the answer. */
export async function post(path, body, signal = undefined) {
  try {
    return await send(path, body, signal);
  } catch (error) {
    if (!(error instanceof Refused && error.code === "foreign")) throw error;
    session = null; // the server was started again and signs anew
    return send(path, body, signal);
  }
}

async function send(path, body, signal) {
  const { csrf } = await openSession();
  const headers = { "content-type": "application/json", accept: "application/json", "x-csrf-token": csrf };
  return read(await fetch(path, { method: "POST", signal, headers, body: JSON.stringify(body) }));
}

async function read(response) {
  const answer = await response.json().catch(() => null);
  if (response.status === 401) location.assign("/login");
  if (!response.ok || answer === null) throw new Refused(response.status, answer);
  return answer;
}
