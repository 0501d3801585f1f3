/** The rotation of roots, put together: what decides, what carries out, and what goes on by itself. */

import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import { CanaryIssuer, type CanaryIssuerDependencies } from "./canary-issuer.ts";
import { FiledTrust } from "./filed-trust.ts";
import type { Kept } from "../kept.ts";
import type { Ledger } from "../log/ledger.ts";
import { NextAuthorityKeeper } from "./next-authority.ts";
import { Rotation } from "./rotation.ts";
import { RotationAuto } from "./rotation-auto.ts";
import { RotationEvents } from "./rotation-events.ts";
import type { RotationView } from "./rotation-view.ts";
import { RootsFile } from "../roots-file.ts";
import type { Serving } from "../serving.ts";
import type { SigningPool } from "../signing/signing-pool.ts";
import type { SigningTurns } from "../signing/signing-turns.ts";
import { TrustChanges } from "./trust-changes.ts";
import type { Waivers } from "./waivers.ts";

export interface RotationPartsOptions extends Pick<
  Kept,
  "store" | "trust" | "trustSecret" | "keeper" | "denials" | "transparency" | "assertMaySign"
> {
  readonly view: RotationView;
  readonly waivers: Waivers;
  readonly turns: SigningTurns;
  readonly signing: SigningPool;
  readonly ledger: Ledger;
  readonly onUnfit: CanaryIssuerDependencies["onUnfit"];
  readonly serving: Serving;
  readonly config: () => ServerConfig;
  readonly log: Logger;
  readonly nowMs: () => number;
}

export interface RotationParts {
  readonly rotation: Rotation;
  readonly events: RotationEvents;
  readonly view: RotationView;
  readonly waivers: Waivers;
  readonly files: FiledTrust;
  readonly auto: RotationAuto;
  readonly next: NextAuthorityKeeper;
  readonly canaries: CanaryIssuer;
  /** Before the first signature: what a server that ended in the middle has left to do. @throws whatever SQLite throws */
  readonly begin: () => void;
}

export function buildRotation(options: RotationPartsOptions): RotationParts {
  const { store, trust, keeper, denials, transparency, view, waivers } = options;
  const { signing, serving, log } = options;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => denials.inTurn(work);
  const prove = (parts: Parameters<SigningPool["prove"]>[0]) => signing.prove(parts);
  const rootsFile = new RootsFile(options.config().dataDir, log);
  const changes = new TrustChanges({
    ...options,
    rootsFile,
    logSize: () => transparency.reader.head().size,
  });
  const events = new RotationEvents(keeper, () => performance.now());
  const own = new OwnCertificates(trust, serving);
  const renewOwn = (): Promise<void> => own.renew();
  const shared = { ...options, inTurn, changes, prove, renewOwn, rootsFile };
  const rotation = new Rotation({ ...shared, events, filed: () => files.authority });
  const files = new FiledTrust({ ...shared, rotation });
  const auto = new RotationAuto({
    state: () => trust.current.state,
    rotation,
    filedRoot: () => files.authority?.root,
    settle: async () => {
      await inTurn(() => changes.settle());
      store.scrub();
      if (rootsFile.isOwed) await rootsFile.write(trust.current.bundle);
      if (!own.areCurrent) await own.renew();
    },
    waivers,
    log,
  });
  const next = new NextAuthorityKeeper(options);
  const canaries = buildCanaries(options, next);
  const begin = () => changes.begin();
  return { rotation, events, view, waivers, files, auto, next, canaries, begin };
}

function buildCanaries(options: RotationPartsOptions, next: NextAuthorityKeeper): CanaryIssuer {
  const { trust, assertMaySign, config, log } = options;
  return new CanaryIssuer({
    ...options,
    next,
    trustDomain: trust.current.state.trustDomain,
    maxTtlSeconds: () => config().maxTtlSeconds,
    assertSettled: assertMaySign,
    onProblem: (error) =>
      log.error({ event: "canary-failed", error }, "the next authority could not be tried"),
  });
}

/** They follow each change of trust, and one that failed is made up for. */
class OwnCertificates {
  readonly #trust: Kept["trust"];
  readonly #serving: Serving;
  #madeFor: Kept["trust"]["current"];

  constructor(trust: Kept["trust"], serving: Serving) {
    this.#trust = trust;
    this.#serving = serving;
    this.#madeFor = trust.current;
  }

  get areCurrent(): boolean {
    const { authority, bundle } = this.#trust.current;
    return this.#madeFor.authority === authority && this.#madeFor.bundle === bundle;
  }

  /** Never rejects. */
  async renew(): Promise<void> {
    const { current } = this.#trust;
    if (await this.#serving.tryRenew()) this.#madeFor = current;
  }
}
