/**
 * A control plane in this process, of a server's real parts, whose bundle can be replaced at will:
 * no server does that yet without its operator.
 */

import { randomBytes } from "node:crypto";
import { trustBundle } from "../src/core/spiffe/trust-bundle.ts";
import { encodeCertificates } from "../src/core/x509/pem.ts";
import { createRoot } from "../src/core/x509/root.ts";
import { UsedTokens } from "../src/edge/authn/used-tokens.ts";
import { resolveServerConfig, settingsFromFlags } from "../src/edge/config/server-config.ts";
import { createLogger } from "../src/edge/telemetry/logger.ts";
import { openCallerAuthentication } from "../src/app/server/caller-authentication.ts";
import { buildParts, type Live } from "../src/app/server/parts.ts";
import { openKept } from "../src/app/server/kept.ts";
import { openPorts } from "../src/app/server/ports.ts";
import { RateLimits } from "../src/core/issuance/rate-limits.ts";
import { TrustKeeper } from "../src/app/server/trust-keeper.ts";
import type { Fixture } from "./fixture.ts";

export class BenchControlPlane implements AsyncDisposable {
  readonly address: string;
  readonly #trust: TrustKeeper;
  readonly #owned: AsyncDisposableStack;

  private constructor(address: string, trust: TrustKeeper, owned: AsyncDisposableStack) {
    this.address = address;
    this.#trust = trust;
    this.#owned = owned;
  }

  static async start(
    { tokens, jwksFile, signal }: Fixture,
    dataDir: string,
    nodeAgent: string,
  ): Promise<BenchControlPlane> {
    const config = resolveServerConfig([
      settingsFromFlags({
        "data-dir": dataDir,
        listen: "127.0.0.1:0",
        "metrics-listen": "127.0.0.1:0",
        "token-issuer": tokens.issuer,
        jwks: jwksFile,
        "node-agent": [nodeAgent],
        "identity-rate": "none",
      }),
    ]);
    await using owned = new AsyncDisposableStack();
    const log = createLogger("bench", "error");
    const nowMs = Date.now;
    const monotonicMs = (): number => performance.now();
    const kept = await openKept(
      { config, maker: "server", log, nowMs, monotonicMs, signal },
      owned,
    );
    const { store, trust } = kept;
    const identities = {
      store,
      ownRoots: () => trust.current.bundle.roots,
      usedTokens: new UsedTokens(Date.now()),
    };
    const authentication = owned.use(
      await openCallerAuthentication(config, "server", () => {}, signal, identities),
    );
    const live: Live = { config, authentication };
    const rates = new RateLimits(config.limits.rates);
    const parts = buildParts({ ...kept, live, rates, log, nowMs });
    owned.use(parts.serving);
    owned.use(parts.signing);
    const options = { config, version: "0", startedMs: Date.now(), nowMs: Date.now, signal };
    const { ca } = await openPorts(parts, options, owned);
    return new BenchControlPlane(ca, trust, owned.move());
  }

  /** PEM, as proxies get them. */
  get roots(): string {
    return encodeCertificates(this.#trust.current.bundle.roots);
  }

  /** One more root to trust, and nothing that hangs on it. @returns when, in Unix milliseconds */
  async addRoot(): Promise<number> {
    const { bundle } = this.#trust.current;
    const { trustDomain, sequence, roots, jwtKeys } = bundle;
    const root = await createRoot({
      trustDomain: trustDomain.name,
      keyType: "p256",
      serial: randomBytes(16),
      nowMs: Date.now(),
    });
    const next = trustBundle(trustDomain, sequence + 1n, [...roots, root.certificate], jwtKeys);
    const atMs = Date.now();
    this.#trust.replace({ ...this.#trust.current, bundle: next });
    return atMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
