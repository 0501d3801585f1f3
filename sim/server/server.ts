/** The server: what is durable, what is lost with its process, and the durable writes at which it can be killed. */

import { SeenSkew } from "../../src/app/server/mesh/seen-skew.ts";
import { Roll } from "../../src/core/roll/roll.ts";
import type { Reporter } from "../../src/core/roll/evidence.ts";
import type { LeavingAgent } from "../../src/core/roll/leaf-owners.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { activeAuthority, bundleOf, type TrustState } from "../../src/core/trust/trust-state.ts";
import type { CsrCall, CsrServer } from "../world/csr-client.ts";
import { digestOf, maskOf } from "../world/symbols.ts";
import { Violation } from "../world/violation.ts";
import type { World } from "../world/world.ts";
import { crash, CrashPlan, type CrashSide, type DurableWrite } from "./crash.ts";
import { DurableState } from "./durable-state.ts";
import { Gates } from "./gates.ts";
import { Issuance, type Issuing } from "./issuance.ts";
import { Leaves } from "./leaves.ts";
import { SimLog } from "./log.ts";
import { OwnCertificate } from "./own-certificate.ts";
import { RotationOperation } from "./rotation.ts";
import { Sessions } from "./sessions.ts";
import { Waivers } from "./waivers.ts";

const limits = {
  proxiesMax: 1_000,
  proxiesPerIdentityMax: 1_000,
  proxiesPerReporterMax: 1_000,
  subscriptionsPerProxyMax: 64,
};

export class Server implements CsrServer {
  readonly world: World;
  readonly durable: DurableState;
  readonly log: SimLog = new SimLog();
  readonly plan: CrashPlan = new CrashPlan();
  readonly waivers: Waivers;
  readonly sessions: Sessions;
  readonly issuance: Issuance;
  readonly leaves: Leaves;
  readonly rotation: RotationOperation;
  readonly gates: Gates;
  readonly own: OwnCertificate;
  filedRoots: readonly Uint8Array[] = [];
  isUp = false;
  /** In force. */
  roll!: Roll;
  seenSkew!: SeenSkew;
  bundle!: TrustBundle;
  /** Everything that was ever published: a stale copy of this server may say it again. */
  readonly published: TrustBundle[] = [];
  bundleMask = 0;
  issuing!: Issuing;

  constructor(world: World, trust: TrustState) {
    this.world = world;
    this.durable = new DurableState(trust);
    this.waivers = new Waivers(this);
    this.sessions = new Sessions(this);
    this.issuance = new Issuance(this);
    this.leaves = new Leaves(this);
    this.rotation = new RotationOperation(this);
    this.gates = new Gates(this);
    this.own = new OwnCertificate(this);
  }

  get trust(): TrustState {
    return this.durable.trust;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get lifeMs(): number {
    return this.world.lifeMs;
  }

  below(limit: number): number {
    return this.world.random.below(limit);
  }

  /** @throws Crash */
  write(name: DurableWrite, apply: () => void): void {
    if (this.plan.strikes(name, "before")) this.#crash(name, "before");
    apply();
    if (this.plan.strikes(name, "after")) this.#crash(name, "after");
  }

  #crash(name: DurableWrite, side: CrashSide): never {
    this.world.coverage.killed(name, side);
    throw crash;
  }

  take(call: CsrCall): void {
    this.issuance.take(call);
  }

  /** What is stored is in force: published, signed with, and from here on said in each reply. */
  enforce(): void {
    const { trust } = this;
    this.bundle = bundleOf(trust);
    this.bundleMask = maskOf(this.bundle.roots);
    this.issuing = { authority: activeAuthority(trust), roots: this.bundle.roots };
    this.published.push(this.bundle);
    this.sessions.publish(this.bundle);
    const rootsDigest = digestOf(this.bundleMask);
    const { durable, log } = this;
    if (durable.cut?.rootsDigest === rootsDigest) return;
    const cut = { rootsDigest, cutIndex: log.nextIndex };
    this.write("cut", () => (durable.cut = cut));
  }

  /** What the cut says of each reply. @throws Violation */
  checkReply(intentIndex: number, roots: readonly Uint8Array[]): void {
    const { cut } = this.durable;
    if (cut === undefined || intentIndex < cut.cutIndex) return;
    if (digestOf(maskOf(roots)) === cut.rootsDigest) return;
    throw new Violation("a reply from after the cut lacks the present bundle");
  }

  goodbye(reporter: Reporter, agents: readonly LeavingAgent[]): void {
    this.write("goodbye", () => {
      for (const agent of agents) this.leaves.goodbye(this.log.goodbye(agent, this.nowMs));
    });
    this.roll.goodbye(reporter);
  }

  /** @throws Crash */
  start(): void {
    this.isUp = true;
    this.seenSkew = new SeenSkew({
      recall: () => this.durable.seenSkew,
      remember: (text) => (this.durable.seenSkew = text),
      onFailed: (error) => {
        throw error;
      },
      nowMs: () => this.nowMs,
    });
    this.roll = new Roll(limits, () => this.seenSkew.skewMs);
    this.leaves.reset();
    this.enforce();
    this.own.renew();
  }

  kill(): void {
    this.isUp = false;
    this.plan.disarm();
    this.rotation.reset();
    this.issuance.reset();
    this.sessions.reset();
  }

  tick(): void {
    if (!this.isUp) return;
    this.sessions.tick();
    this.roll.prune(this.nowMs);
    this.leaves.prune(this.nowMs);
  }
}
