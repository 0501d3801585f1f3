/** Evidence of the mesh, put together: who is there, who has certificates, what the gates of a rotation see of it. */

import { Roll } from "../../../core/roll/roll.ts";
import type { RootMaps } from "../../../core/roll/root-maps.ts";
import type { OwnCertificate } from "../../../core/roll/holder-gate.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import { addRotationGauges } from "../../../edge/telemetry/rotation-metrics.ts";
import type { ServerMetrics } from "../../../edge/telemetry/server-metrics.ts";
import { lifeLeftRatio } from "../../../core/issuance/expiry.ts";
import type { AuthorityRecord } from "../../../core/trust/trust-state.ts";
import { AgentNames } from "../mesh/agent-names.ts";
import { ConnectedAgents } from "../mesh/connected-agents.ts";
import { Farewells } from "../mesh/farewells.ts";
import type { Kept } from "../kept.ts";
import { LeafBooks } from "./leaf-books.ts";
import type { LedgerWatch } from "../log/ledger.ts";
import { Reissue } from "../mesh/reissue.ts";
import { RollView } from "./roll-view.ts";
import { watchedRoots } from "./root-expiry-watch.ts";
import { SeenSkew } from "../mesh/seen-skew.ts";
import type { Waivers } from "./waivers.ts";

export interface EvidenceOptions extends Pick<
  Kept,
  "store" | "trust" | "transparency" | "keeper" | "records"
> {
  readonly waivers: Pick<Waivers, "current">;
  readonly own: () => readonly OwnCertificate[];
  /** The server's ConfigMaps with the roots; undefined where it writes none. */
  readonly rootMaps: () => RootMaps | undefined;
  readonly config: () => ServerConfig;
  readonly metrics: ServerMetrics;
  readonly events: MeshEvents;
  readonly nowMs: () => number;
}

export interface Evidence extends Disposable {
  readonly roll: Roll;
  readonly agents: ConnectedAgents;
  readonly names: AgentNames;
  readonly farewells: Farewells;
  readonly skew: SeenSkew;
  readonly view: RollView;
}

const rollLimits = {
  proxiesMax: 20_000,
  proxiesPerIdentityMax: 5_000,
  proxiesPerReporterMax: 256,
  subscriptionsPerProxyMax: 64,
};

/** @param watch of the ledger that all certificates go through */
export function buildEvidence(options: EvidenceOptions, watch: LedgerWatch): Evidence {
  const { store, trust, transparency, keeper, records, waivers } = options;
  const { own, rootMaps, config, events, nowMs } = options;
  const { proven } = keeper;
  const { reader } = transparency;
  const { certificates } = reader;
  const owned = new DisposableStack();
  const bySerial = (serialHex: string) => certificates.bySerial(Buffer.from(serialHex, "hex"));
  const skew = new SeenSkew({
    recall: () => store.facts.recall("clock-skew"),
    remember: (text) => store.facts.remember("clock-skew", text),
    onFailed: (error) => events.skewNotWritten(error),
    nowMs: () => proven.nowMs(),
  });
  const roll = new Roll(rollLimits, () => skew.skewMs);
  proven.listenTo(() => roll.clocks());
  const agents = new ConnectedAgents(nowMs);
  const names = new AgentNames({ find: (serialHex) => bySerial(serialHex)?.intent.agent });
  const farewells = new Farewells({
    indexOf: (serialHex, agentId) => {
      const record = bySerial(serialHex);
      return record?.intent.agent === agentId ? record.intentIndex : undefined;
    },
    nextIndex: () => reader.head().size,
    record: (event) => keeper.event(event),
    onFailed: (agent, error) => events.goodbyeNotWritten(agent, error),
  });
  const books = owned.use(
    new LeafBooks({
      reader,
      watch,
      onFailed: (error) => events.leavesNotRead(error),
      nowMs: () => proven.nowMs(),
    }),
  );
  const reissue = owned.use(
    new Reissue({
      state: () => trust.current.state,
      certificates,
      sessions: () => agents.sessions(),
      renew: (session, serials) => agents.renew(session, serials),
      perSecond: () => config().reissuePerSecond,
      nowMs,
    }),
  );
  const view = owned.use(
    new RollView({
      roll,
      books,
      trust,
      certificates,
      reissue,
      speaksFor: agents.speaksFor,
      waived: () => new Set(waivers.current.map(({ name }) => name)),
      classes: () => classesOf(config()),
      own,
      rootMaps,
      restores: () => records.list(),
      isClockGood: () => keeper.time.status.kind === "ok",
      proven,
      nowMs,
    }),
  );
  addGauges(options, view);
  return { roll, agents, names, farewells, skew, view, [Symbol.dispose]: () => owned.dispose() };
}

/** Whoever fetches the bundle over HTTPS says nothing of what it does with it. */
function classesOf({ bundleListen, unobserved }: ServerConfig): readonly string[] {
  const endpoint = bundleListen === undefined ? [] : ["bundle-endpoint"];
  return [...new Set([...endpoint, ...unobserved])];
}

function addGauges({ trust, metrics, nowMs }: EvidenceOptions, view: RollView): void {
  const lagging = (gate: ReturnType<RollView["verifiers"]>): number =>
    gate.kind === "open" ? 0 : gate.lagging;
  addRotationGauges(metrics.registry, {
    rootLifeLeft: () => {
      const roots = watchedRoots(trust.current.bundle.roots);
      return new Map(roots.map((root) => [root.name, lifeLeftRatio(root, nowMs())]));
    },
    verifiers: () => {
      if (!view.isDeciding) return undefined;
      const gate = view.verifiers(1);
      return { ...gate.evidence, lagging: lagging(gate) };
    },
    holders: () => {
      const all = view.isDeciding ? trust.current.state.authorities : [];
      const count = (authority: AuthorityRecord): number => lagging(view.holders(authority, 1));
      return new Map(all.map((authority) => [authority.id, count(authority)]));
    },
  });
}
