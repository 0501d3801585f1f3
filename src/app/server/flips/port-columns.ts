/** What GetPolicyStatus says of a port besides its policy: who has called it within the look-back, its flip, and until when it is permissive. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { PermissiveDebt } from "../../../core/flip/debt.ts";
import { isFlipPort, stagesOf, type Flip } from "../../../core/flip/flip.ts";
import { concerns } from "../../../core/flip/target.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { ServerDecision } from "../../../core/policy/server-mode.ts";
import { nameKey } from "../../../core/resources/resource.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import type { PortSummary } from "../../../edge/evidence/evidence-question.ts";
import type { PortStatusSchema } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { EvidenceQuestions } from "./evidence-questions.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import type { Flips } from "./flips.ts";
import type { PermissiveDebts } from "./permissive-debts.ts";

type Columns = Pick<
  MessageInitShape<typeof PortStatusSchema>,
  | "flip"
  | "heldBack"
  | "mtlsConnections"
  | "openMtls"
  | "otherConnections"
  | "refusedConnections"
  | "otherCallers"
  | "permissiveUntil"
  | "permissiveUntilText"
  | "owner"
>;

export type PortColumns = (
  proxy: ProxyIdentity,
  port: number,
  decision: ServerDecision | undefined,
) => Columns;

export interface PortColumnsDependencies {
  readonly questions: Pick<EvidenceQuestions, "summary">;
  readonly flips: Pick<Flips, "underWay">;
  readonly debts: Pick<PermissiveDebts, "of">;
  readonly configuration: FlipConfiguration;
  readonly lookBackMs: () => number;
  readonly nowMs: () => number;
}

/** Where nothing is recorded, nobody was seen. */
export async function portColumns(dependencies: PortColumnsDependencies): Promise<PortColumns> {
  const { debts, flips } = dependencies;
  const summaries = await summariesOf(dependencies);
  const { underWay } = flips;
  const holds = new Map(underWay.map((flip) => [flip, heldBackBy(flip)]));
  return (proxy, port, decision) => {
    const seen = summaries.get(`${proxy.key} ${port}`);
    const debt = decision?.because.ref && debts.of(decision.because.ref);
    const flip = flipOf(dependencies, underWay, proxy, port);
    return {
      flip: BigInt(decision?.flip ?? flip?.id ?? 0),
      heldBack: decision?.flip !== undefined || (flip && holds.get(flip)?.(proxy)) === true,
      mtlsConnections: BigInt(seen?.mtls ?? 0),
      otherConnections: BigInt(seen?.others ?? 0),
      refusedConnections: BigInt(seen?.refused ?? 0),
      otherCallers: seen?.otherSources ?? 0,
      openMtls: seen?.openMeshed ?? 0,
      ...(debt && debtColumns(debt)),
    };
  };
}

/** What is no date has come already. */
function debtColumns({ untilMs, until, owner }: PermissiveDebt): Columns {
  const text = untilMs === undefined ? { permissiveUntilText: until } : {};
  return { permissiveUntil: timestampFromMs(untilMs ?? 0), owner, ...text };
}

async function summariesOf({
  questions,
  lookBackMs,
  nowMs,
}: PortColumnsDependencies): Promise<ReadonlyMap<string, PortSummary>> {
  try {
    const all = await questions.summary(Math.floor(nowMs()) - lookBackMs());
    return new Map(all.map((each) => [`${each.proxy} ${each.port}`, each]));
  } catch (error) {
    if (error instanceof EvidenceStoreError) return new Map();
    throw error;
  }
}

/** Also while the object does not say STRICT yet, and nothing has to be held. */
function heldBackBy(flip: Flip): (proxy: ProxyIdentity) => boolean {
  const stageOf = stagesOf(flip);
  const isBack = flip.state.kind === "reverting";
  return ({ namespace, nodeId: name }) =>
    isBack || stageOf(nameKey({ namespace, name })) === undefined;
}

/** One that is under way, and has opened its stage or has not. */
function flipOf(
  { configuration }: PortColumnsDependencies,
  underWay: readonly Flip[],
  { namespace, nodeId, serviceAccount, claimedLabels }: ProxyIdentity,
  port: number,
): Flip | undefined {
  const own = underWay.filter(({ target }) => target.namespace === namespace);
  if (own.length === 0) return undefined;
  const entry = configuration.entryOf(namespace, nodeId);
  const labels = entry?.serviceAccount === serviceAccount ? entry.labels : claimedLabels;
  const { peers } = configuration.viewOf(namespace).mesh;
  return own.find(
    (flip) => isFlipPort(flip, port) && concerns(peers, flip.target, { namespace, labels }, port),
  );
}
