/**
 * Kept connections by the credentials of now. Tokens and certificates are rotated in their files, so these are read again every few
 * seconds, and at once when the API server refuses them; if that fails, the last that could be read stay.
 */

import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { createSecureContext } from "node:tls";
import type { KubeAccess, KubeTls } from "./kube-access.ts";
import { asKubeError, KubeError } from "./kube-error.ts";
import { SharedSession } from "./shared-session.ts";

export interface Pool {
  readonly headers: Readonly<Record<string, string>>;
  /** At most as many connections as requests may be under way. */
  readonly requests: HttpAgent;
  /** For watches, which stay, and for what must not wait behind requests. Undefined over plain HTTP. */
  readonly session: SharedSession | undefined;
  /** For the same where the server does not speak HTTP/2. */
  readonly streams: HttpAgent;
}

interface KnownPool extends Pool {
  readonly tls: KubeTls;
}

const freshMs = 10_000;

export class Pools implements Disposable {
  readonly #access: KubeAccess;
  readonly #socketsMax: number;
  #known: KnownPool | undefined;
  #readMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<KnownPool> | undefined;
  #failure: KubeError | undefined;

  constructor(access: KubeAccess, socketsMax: number) {
    this.#access = access;
    this.#socketsMax = socketsMax;
  }

  /**
   * @param refused the one that the API server did not take: another one, if there is
   * @throws KubeError `kube-config`
   */
  async current(refused?: Pool): Promise<Pool> {
    const known = this.#known;
    if (known === undefined || known === refused) return await this.#refresh();
    // Nobody waits for files or plug-ins while there is something to go on with.
    if (performance.now() - this.#readMs >= freshMs) void this.#refresh();
    return known;
  }

  /** Why the credentials of now are those of before; undefined: they are not. */
  get failure(): KubeError | undefined {
    return this.#failure;
  }

  /** Whether all that goes on is over one connection. */
  get isShared(): boolean {
    return this.#known?.session?.isSpoken ?? false;
  }

  /** What hangs on it fails now, and what comes after gets another one. */
  cutSession(): void {
    this.#known?.session?.cut();
  }

  [Symbol.dispose](): void {
    this.#known?.requests.destroy();
    this.#known?.streams.destroy();
    this.#known?.session?.[Symbol.dispose]();
  }

  /** Rejects only where nothing is known. */
  #refresh(): Promise<KnownPool> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<KnownPool> {
    const known = this.#known;
    let next: KnownPool;
    try {
      next = await this.#next(known);
      this.#failure = undefined;
    } catch (error) {
      if (known === undefined) throw error;
      this.#failure = asKubeError(error, "our own credentials");
      next = known;
    }
    if (known !== undefined && next.requests !== known.requests) retire(known);
    this.#known = next;
    this.#readMs = performance.now();
    return next;
  }

  async #next(known: KnownPool | undefined): Promise<KnownPool> {
    const { headers, tls } = await this.#access.credentials();
    if (known !== undefined && isSame(known.tls, tls)) return { ...known, headers };
    const limits = { keepAlive: true, maxSockets: this.#socketsMax } as const;
    const endless = { keepAlive: true, maxFreeSockets: 2 } as const;
    if (this.#access.server.protocol === "http:") {
      const [requests, streams] = [new HttpAgent(limits), new HttpAgent(endless)];
      return { headers, tls, requests, streams, session: undefined };
    }
    const options = { ...tlsOptions(tls), rejectUnauthorized: true };
    const requests = new HttpsAgent({ ...limits, ...options });
    const session = new SharedSession(this.#access.server, options);
    return { headers, tls, requests, session, streams: new HttpsAgent({ ...endless, ...options }) };
  }
}

/** As a context: the agent would compare the texts of all certificates for each request. */
function tlsOptions({ ca, cert, key, serverName }: KubeTls): object {
  try {
    const secureContext = createSecureContext({ ca, cert, key, minVersion: "TLSv1.2" });
    return { secureContext, ...(serverName !== undefined && { servername: serverName }) };
  } catch {
    // OpenSSL's words are not passed on: nobody promises what they repeat.
    throw new KubeError(
      "kube-config",
      "expected certificates and a key in PEM, got something else",
    );
  }
}

function isSame(a: KubeTls, b: KubeTls): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key && a.serverName === b.serverName;
}

/** Requests that are under way end as they would have. Watches that share a session fail now, and begin again on the next one's. */
function retire({ requests, session }: Pool): void {
  session?.retire();
  for (const socket of Object.values(requests.freeSockets).flatMap((each) => each ?? [])) {
    socket.destroy();
  }
}
