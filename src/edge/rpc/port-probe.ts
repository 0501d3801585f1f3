/** Whether a port answers, as one who comes from outside: a TLS handshake and what was shown in it, or an answer over plain HTTP. */

import { once } from "node:events";
import { get } from "node:http";
import { connect, type PeerCertificate } from "node:tls";
import type { ListenAddress } from "../config/listen-address.ts";

export interface ShownTls {
  /** DNS names and addresses. */
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const bodyCharsMax = 1_000;

/** One that listens on all addresses is asked on this machine's own. */
export function reachable({ host, port }: ListenAddress): ListenAddress {
  if (host === "0.0.0.0") return { host: "127.0.0.1", port };
  return host === "::" ? { host: "::1", port } : { host, port };
}

/** @param roots PEM: by which it is to verify; undefined: by any. @throws what kept it from one */
export async function probeTls(
  address: ListenAddress,
  roots: string | undefined,
  timeoutMs: number,
): Promise<ShownTls> {
  const socket = connect({
    ...reachable(address),
    ...(roots !== undefined && { ca: roots }),
    rejectUnauthorized: roots !== undefined,
    // Names are for whoever dials them.
    checkServerIdentity: () => undefined,
  });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(timeoutMs) });
    return shownIn(socket.getPeerCertificate());
  } catch (error) {
    throw saidInTime(error, timeoutMs);
  } finally {
    // Nobody listens any more to what may still go wrong.
    socket.on("error", () => {});
    socket.destroy();
  }
}

function shownIn({ subjectaltname = "", valid_from, valid_to }: PeerCertificate): ShownTls {
  const names = subjectaltname.split(", ").flatMap((each) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(each) ?? [];
    return name === undefined ? [] : [name];
  });
  return { names, notBeforeMs: Date.parse(valid_from), notAfterMs: Date.parse(valid_to) };
}

/** @returns what it says against being ready; "" for nothing. @throws what kept it from an answer */
export async function probeReady(url: string, timeoutMs: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) });
  request.once("error", (error) => reject(saidInTime(error, timeoutMs)));
  request.once("response", (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      if (text.length < bodyCharsMax) text += chunk;
    });
    response.once("error", reject);
    const { statusCode = 0 } = response;
    response.once("end", () => resolve(statusCode === 200 ? "" : `${statusCode}: ${text.trim()}`));
  });
  return await promise;
}

function saidInTime(error: unknown, timeoutMs: number): unknown {
  const isLate = error instanceof Error && error.name === "AbortError";
  return isLate ? new Error(`no answer within ${timeoutMs / 1_000} s`, { cause: error }) : error;
}
