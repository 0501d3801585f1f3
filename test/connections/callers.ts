/** Whoever may call a port, each from an address of his own, so that what an agent tells can be told apart. */

import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { duplexPair } from "node:stream";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionKind } from "../../src/core/evidence/connection.ts";
import { canaryServerName } from "../../src/core/envoy/canary-chain.ts";
import type { InboundProtocol } from "../../src/core/policy/proxy-policy.ts";
import type { Credential } from "../policy-envoy/certificates.ts";
import { tcpMessage } from "../policy-envoy/caller.ts";

/** Who he is told as; by his identity only where it is proven. */
export type Told = `${ConnectionKind}${"" | " refused"}${"" | " by name"}` | "nobody";

export interface PortKind {
  readonly protocol: InboundProtocol;
  readonly mode: "permissive" | "strict";
}

export interface Caller {
  readonly title: string;
  /** Resolves when the connection is over. */
  readonly call: (port: number, localAddress: string) => Promise<void>;
  readonly told: (port: PortKind) => Told;
}

export interface Credentials {
  readonly client: Credential;
  readonly stranger: Credential;
  readonly expired: Credential;
  readonly otherDomain: Credential;
  readonly canary: Credential;
}

const tcpAlpn = ["istio"];

export function callers(all: Credentials): readonly Caller[] {
  const { client, stranger, expired, otherDomain, canary } = all;
  const mtls = (credential: Credential, ALPNProtocols: readonly string[]) =>
    tls({ cert: credential.cert, key: credential.key, ALPNProtocols: [...ALPNProtocols] });
  const inStrict =
    (strict: Told, permissive: Told) =>
    ({ mode }: PortKind): Told =>
      mode === "strict" ? strict : permissive;
  const plaintext = inStrict("plaintext refused", "plaintext");
  const passed = ({ mode, protocol }: PortKind): Told => {
    if (mode === "strict") return "tls refused";
    return protocol === "http" ? "passthrough refused" : "passthrough";
  };
  return [
    { title: "plaintext", call: plain(tcpMessage), told: plaintext },
    { title: "plaintext HTTP", call: plain(request("connection: close\r\n")), told: plaintext },
    { title: "three requests on one connection", call: keptAlive, told: plaintext },
    { title: "a probe", call: plain(request(probe)), told: plaintext },
    { title: "garbage", call: plain("\x16\x03\x01\x00\x05garbage"), told: plaintext },
    { title: "a port scan", call: plain(""), told: () => "nobody" },
    {
      title: "who says nothing",
      call: silent,
      // Where HTTP is spoken he has not waited for as long as Envoy does.
      told: (port) => (port.protocol === "http" ? "nobody" : plaintext(port)),
    },
    { title: "TLS of its own", call: tls({ servername: "app.test" }), told: passed },
    { title: "TLS without a server name", call: tls({}), told: passed },
    { title: "mTLS", call: mtls(client, tcpAlpn), told: () => "mtls by name" },
    { title: "mTLS for HTTP", call: mtls(client, ["istio-h2"]), told: () => "mtls by name" },
    {
      title: "mTLS without ALPN of the mesh",
      call: mtls(client, []),
      told: (port) => (port.mode === "strict" ? "mtls by name" : passed(port)),
    },
    {
      title: "no certificate, with ALPN of the mesh",
      call: tls({ ALPNProtocols: tcpAlpn }),
      told: () => "mtls refused",
    },
    { title: "a stranger", call: mtls(stranger, tcpAlpn), told: () => "mtls refused" },
    { title: "an expired certificate", call: mtls(expired, tcpAlpn), told: () => "mtls refused" },
    { title: "another trust domain", call: mtls(otherDomain, tcpAlpn), told: () => "mtls refused" },
    { title: "a handshake that is given up", call: givenUp, told: () => "nobody" },
    {
      title: "the canary",
      call: tls({ cert: canary.cert, key: canary.key, servername: canaryServerName }),
      told: () => "nobody",
    },
  ];
}

const probe = "user-agent: kube-probe/1.31\r\nconnection: close\r\n";

function request(headers: string): string {
  return `GET / HTTP/1.1\r\nhost: app\r\n${headers}\r\n`;
}

/** Goes when he is answered, or at once where he has nothing to say. */
function plain(say: string) {
  return async (port: number, localAddress: string): Promise<void> => {
    const socket = connectTcp({ host: "127.0.0.1", port, localAddress });
    if (say === "") socket.once("connect", () => socket.end());
    else socket.write(say, "latin1");
    socket.once("data", () => socket.end());
    await over(socket);
  };
}

async function silent(port: number, localAddress: string): Promise<void> {
  await over(connectTcp({ host: "127.0.0.1", port, localAddress }));
}

async function keptAlive(port: number, localAddress: string): Promise<void> {
  const socket = connectTcp({ host: "127.0.0.1", port, localAddress });
  const ended = over(socket);
  let count = 0;
  const ask = (): void => {
    count += 1;
    if (count <= 3) socket.write(request(""));
    else socket.end();
  };
  socket.on("data", ask);
  ask();
  await ended;
}

function tls(options: ConnectionOptions) {
  return async (port: number, localAddress: string): Promise<void> => {
    const underlying = { host: "127.0.0.1", port, localAddress, rejectUnauthorized: false };
    const socket = connectTls({ ...underlying, ...options });
    socket.write(request("connection: close\r\n"));
    socket.once("data", () => socket.end());
    await over(socket);
  };
}

/** A ClientHello, which says that he is of the mesh, and no more. */
async function givenUp(port: number, localAddress: string): Promise<void> {
  const [mine, theirs] = duplexPair();
  connectTls({ socket: mine, ALPNProtocols: tcpAlpn }).on("error", () => undefined);
  const [hello] = await once(theirs, "data");
  const socket = connectTcp({ host: "127.0.0.1", port, localAddress });
  socket.write(hello);
  socket.once("data", () => socket.end());
  await over(socket);
}

async function over(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  // What was said may be no whole request.
  socket.setTimeout(1_500, () => socket.end());
  // What has come is not read by everybody.
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  await sleep(0);
}
