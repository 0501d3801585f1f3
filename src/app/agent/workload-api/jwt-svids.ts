/**
 * The workload's JWT-SVIDs: asked of the control plane, verified like anybody else's, and kept for
 * half of their life. None is given away that the bundle's keys do not verify at that moment, so a
 * key that was revoked takes what it has signed along.
 */

import { LRUCache } from "lru-cache";
import { AuthnError } from "../../../core/identity/authn-error.ts";
import type { TrustBundle } from "../../../core/spiffe/trust-bundle.ts";
import type { SpiffeId } from "../../../core/spiffe/id.ts";
import { verifyJwtSvid } from "../../../edge/authn/jwt-svid.ts";
import { PrivateFileError, readBoundedFile } from "../../../edge/config/private-files.ts";
import { JwtSvidClientError, requestJwtSvid } from "../../../edge/rpc/jwt-svid-client.ts";
import type { WorkloadSet } from "../workload-set.ts";
import { WorkloadApiRefusal, type WorkloadApiRefusalCode } from "./refusal.ts";

export interface JwtSvidsOptions {
  /** `HOST:PORT`. */
  readonly server: string;
  /** PEM, read at each connection. */
  readonly serverRoots: () => Promise<Uint8Array>;
  /** Undefined where the identity did not come by a token of an issuer. */
  readonly tokenFile: string | undefined;
  readonly nowMs: () => number;
  readonly onProblem: (error: unknown) => void;
}

interface KeptSvid {
  readonly svid: string;
  /** From when on a new one is asked for. */
  refreshAtMs: number;
}

const keptMax = 1_024;
const mintsMax = 64;
const requestTimeoutMs = 5_000;
/** While there is one in date, a server that is away is not asked more often. */
const retryMs = 10_000;
const fileBytesMax = 1_048_576;

export class JwtSvids implements Disposable {
  readonly #options: JwtSvidsOptions;
  readonly #kept = new LRUCache<string, KeptSvid>({ max: keptMax });
  readonly #mints = new Map<string, Promise<string>>();
  readonly #stopping = new AbortController();

  constructor(options: JwtSvidsOptions) {
    this.#options = options;
  }

  /**
   * @param audiences sorted, each once
   * @returns one of the set's own identity, for these audiences
   * @throws WorkloadApiRefusal
   */
  async fetch({ certificate, bundle }: WorkloadSet, audiences: readonly string[]): Promise<string> {
    const wanted = { id: certificate.id, bundle, audiences };
    const key = JSON.stringify(audiences);
    const kept = this.#kept.get(key);
    if (kept === undefined || !this.#isGood(kept.svid, wanted)) return this.#mint(key, wanted);
    if (this.#options.nowMs() < kept.refreshAtMs) return kept.svid;
    try {
      return await this.#mint(key, wanted);
    } catch (error) {
      if (!this.#isGood(kept.svid, wanted)) throw error;
      kept.refreshAtMs = this.#options.nowMs() + retryMs;
      return kept.svid;
    }
  }

  [Symbol.dispose](): void {
    this.#stopping.abort();
  }

  /** One request for all who want the same at the same time. */
  async #mint(key: string, wanted: WantedSvid): Promise<string> {
    const running = this.#mints.get(key);
    if (running !== undefined) return running;
    if (this.#mints.size >= mintsMax) {
      throw new WorkloadApiRefusal("workload-overloaded", "too many JWT-SVIDs are being asked for");
    }
    const mint = this.#request(key, wanted).finally(() => this.#mints.delete(key));
    this.#mints.set(key, mint);
    return mint;
  }

  async #request(key: string, wanted: WantedSvid): Promise<string> {
    const { server, tokenFile, nowMs } = this.#options;
    if (tokenFile === undefined) {
      const reason = "no JWT-SVID: they need a token of an issuer (--token-file)";
      throw new WorkloadApiRefusal("workload-jwt-denied", reason);
    }
    try {
      const [serverRoots, token] = await Promise.all([
        this.#options.serverRoots(),
        readBoundedFile(tokenFile, fileBytesMax),
      ]);
      const { svid } = await requestJwtSvid(
        {
          server,
          serverRoots,
          token: Buffer.from(token).toString().trim(),
          audiences: wanted.audiences,
          timeoutMs: requestTimeoutMs,
        },
        this.#stopping.signal,
      );
      const receivedAtMs = nowMs();
      const lifeMs = assertWanted(svid, wanted, receivedAtMs) - receivedAtMs;
      this.#kept.set(key, { svid, refreshAtMs: receivedAtMs + lifeMs / 2 });
      return svid;
    } catch (error) {
      this.#options.onProblem(error);
      throw refusalOf(error);
    }
  }

  #isGood(svid: string, wanted: WantedSvid): boolean {
    try {
      assertWanted(svid, wanted, this.#options.nowMs());
      return true;
    } catch {
      return false;
    }
  }
}

interface WantedSvid {
  readonly id: SpiffeId;
  readonly bundle: TrustBundle;
  readonly audiences: readonly string[];
}

/** @returns when it expires. @throws AuthnError */
function assertWanted(svid: string, { id, bundle, audiences }: WantedSvid, nowMs: number): number {
  const [audience = ""] = audiences;
  const verified = verifyJwtSvid(svid, bundle, audience, nowMs);
  if (!verified.id.equals(id)) {
    throw new AuthnError("token-subject", `expected a JWT-SVID of ${id.toString()}`);
  }
  // One more would make it good for somebody whom the workload has not named.
  const got = new Set(verified.audiences);
  if (got.symmetricDifference(new Set(audiences)).size > 0) {
    throw new AuthnError("token-audience", "expected the audiences that were asked for");
  }
  return verified.validity.expiresAtMs;
}

const refusalCodes: ReadonlyMap<string, WorkloadApiRefusalCode> = new Map([
  ["jwt-svid-invalid-argument", "workload-argument-invalid"],
  ["jwt-svid-unauthenticated", "workload-jwt-denied"],
  ["jwt-svid-denied", "workload-jwt-denied"],
  ["jwt-svid-unsupported", "workload-jwt-unsupported"],
]);

/** What the server says of a token or an audience is told; what it sent and is wrong is not. */
function refusalOf(cause: unknown): unknown {
  if (cause instanceof JwtSvidClientError) {
    const code = refusalCodes.get(cause.code) ?? "workload-jwt-unavailable";
    return new WorkloadApiRefusal(code, `no JWT-SVID: ${cause.message}`, { cause });
  }
  if (cause instanceof PrivateFileError) {
    const message = `no JWT-SVID: the agent cannot read ${cause.message}`;
    return new WorkloadApiRefusal("workload-jwt-unavailable", message, { cause });
  }
  if (cause instanceof AuthnError) {
    const message = `no JWT-SVID: ${cause.code}`;
    return new WorkloadApiRefusal("workload-jwt-unavailable", message, { cause });
  }
  return cause;
}
