/** The server: what is durable, what is lost with its process, and the durable writes at which it can be killed. */

import { Roll } from "../../src/core/roll/roll.ts";
import type { LeavingAgent } from "../../src/core/roll/leaf-owners.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import type { RotationDecision } from "../../src/core/trust/rotation.ts";
import { activeAuthority, bundleOf, type TrustState } from "../../src/core/trust/trust-state.ts";
import type { CsrCall, CsrServer } from "../world/csr-client.ts";
import { bitOf, digestOf, maskOf } from "../world/symbols.ts";
import { Violation } from "../world/violation.ts";
import type { World } from "../world/world.ts";
import { crash, CrashPlan, type CrashSide, type DurableWrite } from "./crash.ts";
import { Gates, type BundleCut } from "./gates.ts";
import { Issuance, type Issuing } from "./issuance.ts";
import { Leaves } from "./leaves.ts";
import { SimLog } from "./log.ts";
import { RotationOperation } from "./rotation.ts";
import { Sessions } from "./sessions.ts";
import { Waivers } from "./waivers.ts";

const limits = {
  proxiesMax: 1_000,
  proxiesPerIdentityMax: 1_000,
  proxiesPerReporterMax: 1_000,
  subscriptionsPerProxyMax: 64,
};

/** A backup. */
interface Saved {
  readonly trust: TrustState;
  readonly cut: BundleCut | undefined;
  readonly keys: readonly string[];
}

export class Server implements CsrServer {
  readonly world: World;
  readonly log: SimLog = new SimLog();
  readonly plan: CrashPlan = new CrashPlan();
  readonly waivers: Waivers;
  readonly sessions: Sessions;
  readonly issuance: Issuance;
  readonly leaves: Leaves;
  readonly rotation: RotationOperation;
  readonly gates: Gates;
  readonly keys: Set<string> = new Set();
  filedRoots: readonly Uint8Array[] = [];
  isUp = false;
  /** Durable. */
  trust: TrustState;
  cut: BundleCut | undefined;
  saved: Saved | undefined;
  /** In force. */
  roll!: Roll;
  bundle!: TrustBundle;
  /** Everything that was ever published: a stale copy of this server may say it again. */
  readonly published: TrustBundle[] = [];
  bundleMask = 0;
  issuing!: Issuing;
  /** Of its own certificate: the root, and the key that signed it. */
  servingBit = 0;
  servingSigner = "";

  constructor(world: World, trust: TrustState) {
    this.world = world;
    this.trust = trust;
    for (const { id } of trust.authorities) this.keys.add(id);
    this.waivers = new Waivers(this);
    this.sessions = new Sessions(this);
    this.issuance = new Issuance(this);
    this.leaves = new Leaves(this);
    this.rotation = new RotationOperation(this);
    this.gates = new Gates(this);
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

  /** In one transaction. */
  store({ state, effects }: Extract<RotationDecision, { kind: "done" }>): void {
    this.trust = state;
    for (const { id } of state.authorities) if (!this.keys.has(id)) this.keys.add(id);
    for (const effect of effects) {
      if (effect.kind === "destroy-key") this.keys.delete(effect.authorityId);
    }
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
    if (this.cut?.rootsDigest === rootsDigest) return;
    const cut = { rootsDigest, cutIndex: this.log.nextIndex };
    this.write("cut", () => (this.cut = cut));
  }

  /** What the cut says of each reply. @throws Violation */
  checkReply(intentIndex: number, roots: readonly Uint8Array[]): void {
    const { cut } = this;
    if (cut === undefined || intentIndex < cut.cutIndex) return;
    if (digestOf(maskOf(roots)) === cut.rootsDigest) return;
    throw new Violation("a reply from after the cut lacks the present bundle");
  }

  /** They follow the authority, when they get to it. */
  get ownIsDue(): boolean {
    return this.isUp && this.servingSigner !== (this.issuing.authority.signerIds[0] ?? "");
  }

  renewOwn(): void {
    if (this.below(4) > 0) return;
    this.#renewOwn();
  }

  #renewOwn(): void {
    const { root, signerIds } = this.issuing.authority;
    this.servingBit = bitOf(root);
    this.servingSigner = signerIds[0] ?? "";
  }

  backUp(): void {
    this.saved = { trust: this.trust, cut: this.cut, keys: [...this.keys] };
  }

  /** While it is down. The log is another file, and stays. */
  restore({ trust, cut, keys }: Saved): void {
    this.trust = trust;
    this.cut = cut;
    this.keys.clear();
    for (const id of keys) this.keys.add(id);
  }

  goodbye(agent: LeavingAgent): void {
    this.write("goodbye", () => this.leaves.goodbye(this.log.goodbye(agent, this.nowMs)));
    this.roll.goodbye(agent);
  }

  /** @throws Crash */
  start(): void {
    this.isUp = true;
    this.roll = new Roll(limits);
    this.leaves.reset();
    for (const agent of this.world.agents) agent.isClockKnown = false;
    this.enforce();
    this.#renewOwn();
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
