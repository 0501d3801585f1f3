import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { JwksLocation } from "./jwks-document.ts";
import { assertSafeLocation, readJwksDocument } from "./jwks-document.ts";
import type { JwksErrorCode } from "./key-set.ts";
import { JwksError } from "./key-set.ts";

const directory = mkdtempSync(join(tmpdir(), "portcullis-jwks-"));
const certFile = join(directory, "cert.pem");
const keyFile = join(directory, "key.pem");
const openssl = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=api -addext".split(" ");
execFileSync(
  "openssl",
  [...openssl, "subjectAltName=IP:127.0.0.1", "-keyout", keyFile, "-out", certFile],
  { stdio: "ignore" },
);
const seen: (string | undefined)[] = [];
const server = createServer(
  { cert: readFileSync(certFile), key: readFileSync(keyFile) },
  (request, response) => {
    seen.push(request.headers.authorization);
    response.end("a key set");
  },
);
await once(server.listen(0, "127.0.0.1"), "listening");
after(async () => {
  rmSync(directory, { recursive: true });
  server.closeAllConnections();
  await server[Symbol.asyncDispose]();
});

function isCode(code: JwksErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof JwksError && error.code === code;
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function read(files: { caFile?: string; tokenFile?: string }, host = "127.0.0.1"): Promise<string> {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const url = new URL(`https://${host}:${address.port}/openid/v1/jwks`);
  return readJwksDocument({ kind: "url", url, ...files }, AbortSignal.timeout(5000));
}

test("reads over TLS from a server that the given roots vouch for", async () => {
  assert.equal(await read({ caFile: certFile }), "a key set");
  assert.deepEqual(seen.splice(0), [undefined]);
});

test("shows its own token to such a server", async () => {
  const tokenFile = file("token", "a.b.c\n");
  assert.equal(await read({ caFile: certFile, tokenFile }), "a key set");
  assert.deepEqual(seen.splice(0), ["Bearer a.b.c"]);
});

const DISTRUSTED: readonly (readonly [string, () => Promise<string>])[] = [
  ["without its root", () => read({})],
  ["with an empty file of roots", () => read({ caFile: file("empty.pem", "") })],
  ["with a broken file of roots", () => read({ caFile: file("broken.pem", "no PEM") })],
  ["with no file of roots", () => read({ caFile: join(directory, "none.pem") })],
  ["under another name", () => read({ caFile: certFile }, "localhost")],
  ["if its own token is missing", () => read({ caFile: certFile, tokenFile: "/nonexistent" })],
];

for (const [what, attempt] of DISTRUSTED) {
  test(`does not read over TLS ${what}`, async () => {
    await assert.rejects(attempt(), isCode("jwks-unreadable"));
    assert.deepEqual(seen.splice(0), []);
  });
}

test("names the place in an error, but neither credentials nor query", async () => {
  const url = new URL("https://user:pass@127.0.0.1:1/jwks?key=pass");
  const reading = readJwksDocument({ kind: "url", url }, AbortSignal.timeout(5000));
  await assert.rejects(
    reading,
    ({ message }: JwksError) =>
      message.includes("https://127.0.0.1:1/jwks") && !message.includes("pass"),
  );
});

const url = (text: string): JwksLocation => ({ kind: "url", url: new URL(text) });

const UNSAFE: readonly JwksLocation[] = [
  url("http://192.0.2.1/jwks"),
  url("http://kubernetes.default.svc/openid/v1/jwks"),
  url("http://localhost.example/jwks"),
  url("http://127.0.0.1.example/jwks"),
  url("ftp://127.0.0.1/jwks"),
  url("data:application/json,{}"),
  { kind: "url", url: new URL("http://127.0.0.1/jwks"), tokenFile: "/token" },
];

for (const location of UNSAFE) {
  test(`refuses to believe ${JSON.stringify(location)}`, () => {
    assert.throws(() => assertSafeLocation(location), isCode("jwks-location"));
  });
}

for (const text of ["https://example.com/", "http://127.0.0.1:1/", "http://[::1]:1/"]) {
  test(`believes ${text}`, () => assertSafeLocation(url(text)));
}

for (const [what, make] of [
  ["a FIFO", (path: string) => execFileSync("mkfifo", [path])],
  ["a directory", (path: string) => mkdirSync(path)],
] as const) {
  test(`does not read ${what} in place of a key set or of a file that it needs for one`, async () => {
    const path = join(directory, what);
    make(path);
    const fromFile = readJwksDocument({ kind: "file", path }, AbortSignal.timeout(5000));
    await assert.rejects(fromFile, isCode("jwks-unreadable"));
    await assert.rejects(read({ caFile: path }), isCode("jwks-unreadable"));
    await assert.rejects(read({ caFile: certFile, tokenFile: path }), isCode("jwks-unreadable"));
    assert.deepEqual(seen.splice(0), []);
  });
}
