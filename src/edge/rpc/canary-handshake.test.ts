import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer as createTcpServer, type AddressInfo, type Server } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { MeshPki, type Credential } from "../../../test/policy-envoy/certificates.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { tryHandshake } from "./canary-handshake.ts";

const spiffeId = "spiffe://td.test/ns/shop/sa/server";
const serverName = "canary.test";
const own = new DisposableStack();
let mesh: MeshPki;
let stranger: MeshPki;
before(() => {
  const directory = own.use(temporaryDirectory());
  mesh = new MeshPki(join(directory.path, "mesh"));
  stranger = new MeshPki(join(directory.path, "stranger"));
});
after(() => own[Symbol.dispose]());

interface Listener {
  readonly credential?: Credential;
  readonly clientRoot?: string;
  readonly answer?: (socket: TLSSocket) => void;
}

const ok = (socket: TLSSocket): void => void socket.write("HTTP/1.1 200 OK\r\n\r\n");

async function listening(server: Server): Promise<number> {
  own.defer(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function tried(
  { credential = mesh.issue(spiffeId), clientRoot = mesh.rootPem, answer = ok }: Listener,
  timeoutMs = 2_000,
): Promise<string | undefined> {
  const { cert, key } = credential;
  const tls = { cert, key, ca: clientRoot, requestCert: true };
  const server = createServer(tls, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  return await tryAt(await listening(server), timeoutMs);
}

async function tryAt(port: number, timeoutMs = 2_000): Promise<string | undefined> {
  const { cert: certificateChain, key: privateKey } = mesh.issue(
    "spiffe://td.test/portcullis/canary",
  );
  return await tryHandshake(
    { host: "127.0.0.1", port, spiffeId },
    {
      serverName,
      identity: { certificateChain, privateKey },
      roots: mesh.rootPem,
      timeoutMs,
      signal: new AbortController().signal,
    },
  );
}

describe("a handshake with a canary's certificate", () => {
  it("proves by the answer that comes after it", async () => {
    assert.equal(await tried({}), undefined);
  });

  const refused: readonly (readonly [string, () => Listener, RegExp])[] = [
    [
      "that does not take the root",
      () => ({ clientRoot: stranger.rootPem }),
      /closed without an answer/,
    ],
    ["of another identity", () => ({ credential: mesh.issue(`${spiffeId}2`) }), /to listen there/],
    ["of no identity", () => ({ credential: mesh.issueFor("a.test") }), /got no SPIFFE ID/],
    ["of a stranger's CA", () => ({ credential: stranger.issue(spiffeId) }), /certificate/],
    [
      "that answers with something else",
      () => ({ answer: (socket) => void socket.end("HTTP/1.1 403 No\r\n\r\n") }),
      /got "HTTP\/1\.1 403 No/,
    ],
    ["that hangs up", () => ({ answer: (socket) => void socket.destroy() }), /./],
  ];
  for (const [title, listener, words] of refused) {
    it(`fails with a listener ${title}`, async () => {
      assert.match((await tried(listener())) ?? "it was proved", words);
    });
  }

  it("fails in its time with a listener that is silent", async () => {
    assert.equal(await tried({ answer: () => {} }, 100), "no answer within 0.1 s");
  });

  it("fails where nobody listens, or no TLS is spoken", async () => {
    assert.match((await tryAt(1)) ?? "", /ECONNREFUSED/);
    const port = await listening(createTcpServer((socket) => void socket.end("hello\r\n")));
    assert.match((await tryAt(port)) ?? "", /./);
  });

  it("ends at a signal", async () => {
    const port = await listening(createTcpServer((socket) => void socket.on("error", () => {})));
    const { cert: certificateChain, key: privateKey } = mesh.issue(spiffeId);
    const ended = new AbortController();
    const trial = tryHandshake(
      { host: "127.0.0.1", port, spiffeId },
      {
        serverName,
        identity: { certificateChain, privateKey },
        roots: mesh.rootPem,
        timeoutMs: 5_000,
        signal: ended.signal,
      },
    );
    ended.abort();
    assert.equal(await trial, "it was ended");
  });
});
