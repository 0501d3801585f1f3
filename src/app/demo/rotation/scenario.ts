/**
 * The second act: root B takes root A's place under traffic. On the way an agent is frozen, so that the rotation must stop
 * and name it, and once the new signer is taken back.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { RootRefusal } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { isOver, type Operator } from "../mesh/operator.ts";
import type { PairTraffic } from "../mesh/pair-traffic.ts";
import type { Style } from "../paint.ts";
import { shortName } from "./laggard-name.ts";

export interface RotationScenario {
  readonly mesh: Mesh;
  readonly operator: Operator;
  readonly traffic: PairTraffic;
  /** The agent to be frozen, and the identities that it speaks for. */
  readonly frozen: { readonly agent: string; readonly ids: readonly string[] };
  readonly nowMs: () => number;
  readonly onPhase: (phase: string) => void;
  readonly tell: (who: string, what: string, style?: Style) => void;
}

export interface RotationOutcome {
  readonly frozen: {
    readonly agent: string;
    readonly spanMs: number;
    /** Whom the refusal named. */
    readonly named: readonly string[];
    /** Of those: whoever is none of the agent's. */
    readonly others: readonly string[];
  };
  readonly wasRolledBack: boolean;
  /** Certificates that `retire` was refused for, at first. */
  readonly holdersNamed: number;
  /** From the first command until nobody trusted the old root. */
  readonly rotationMs: number;
}

/** How long a reader needs to see who is waited for. */
const frozenMs = 3_000;
const breathMs = 1_500;

/** @throws the signal's reason when it aborts */
export async function playRotation(
  scenario: RotationScenario,
  signal: AbortSignal,
): Promise<RotationOutcome> {
  const { operator, nowMs, onPhase, tell } = scenario;
  const breathe = async (): Promise<void> => sleep(breathMs, undefined, { signal });
  onPhase("all call all, with certificates of root A");
  await breathe();
  const startedMs = nowMs();

  const frozen = await prepareWhileFrozen(scenario, signal);
  onPhase("3 of 6: activate");
  await operator.insist("activate", signal);
  tell("operator", "root activate: everybody trusts B, so that B may sign", "green");
  await untilAllHold(scenario, 2, signal);
  await breathe();

  onPhase("4 of 6: roll back");
  await operator.insist("rollback", signal);
  tell("operator", "root rollback: A signs again, and both are trusted", "yellow");
  const wasRolledBack = await untilAllHold(scenario, 1, signal);
  await breathe();

  onPhase("5 of 6: activate again");
  await operator.insist("activate", signal);
  tell("operator", "root activate, again", "green");
  await untilAllHold(scenario, 2, signal);

  onPhase("6 of 6: retire, when no certificate hangs on root A any more");
  const holdersNamed = await retire(scenario, signal);
  await operator.until(isOver, signal);
  tell("server", "everybody has confirmed that nobody trusts A any more", "green");
  const rotationMs = nowMs() - startedMs;
  onPhase("all call all, with certificates of root B");
  await breathe();
  return { frozen, wasRolledBack, holdersNamed, rotationMs };
}

async function prepareWhileFrozen(
  { operator, mesh, frozen, nowMs, onPhase, tell }: RotationScenario,
  signal: AbortSignal,
): Promise<RotationOutcome["frozen"]> {
  const agent = mesh.agent(frozen.agent);
  agent.freeze();
  const frozenAtMs = nowMs();
  tell(
    `agent ${frozen.agent}`,
    "FROZEN (stopped by SIGSTOP, as one that hangs): its Envoys go on with what they hold",
    "red",
  );
  try {
    onPhase("1 of 6: prepare");
    await operator.insist("prepare", signal);
    tell("operator", "root prepare: root B is made, and everybody gets it", "green");
    await sleep(breathMs, undefined, { signal });
    onPhase("2 of 6: activate, which waits for the one that is frozen");
    const answer = await operator.give("activate");
    const named = answer.kind === "refused" ? namesOf(answer.refusal) : [];
    tell("operator", `root activate: ${verifiersText(answer)}`, "yellow");
    await sleep(frozenMs, undefined, { signal });
    const laggards = answer.kind === "refused" ? answer.refusal.laggards : [];
    const others = laggards.filter(({ spiffeId }) => !frozen.ids.includes(spiffeId));
    const spanMs = nowMs() - frozenAtMs;
    return { agent: frozen.agent, spanMs, named, others: others.map(shortName) };
  } finally {
    agent.thaw();
    tell(`agent ${frozen.agent}`, "thawed (SIGCONT)", "green");
  }
}

async function retire({ operator, tell }: RotationScenario, signal: AbortSignal): Promise<number> {
  const answer = await operator.give("retire");
  const named = answer.kind === "refused" ? Number(answer.refusal.lagging) : 0;
  tell("operator", `root retire: ${holdersText(answer)}`, "yellow");
  if (answer.kind === "refused") {
    await operator.insist("retire", signal);
    tell("operator", "root retire: the last of them has expired, A is withdrawn", "green");
  }
  return named;
}

/** By what the traffic sees of them. @returns true when they do */
async function untilAllHold(
  { traffic, mesh, tell }: RotationScenario,
  generation: number,
  signal: AbortSignal,
): Promise<true> {
  while (traffic.coverage.holders[generation] !== mesh.members.size) {
    await sleep(50, undefined, { signal });
  }
  const root = generation === 1 ? "A" : "B";
  tell("traffic", `all ${mesh.members.size} Envoys show certificates of root ${root}`);
  return true;
}

type Answer = Awaited<ReturnType<Operator["give"]>>;

function verifiersText(answer: Answer): string {
  if (answer.kind === "done") return "done";
  return `REFUSED, root B is not everywhere: ${namesOf(answer.refusal).join(", ")}`;
}

function holdersText(answer: Answer): string {
  if (answer.kind === "done") return "done";
  return `REFUSED, ${answer.refusal.lagging} certificates hang on root A, and are waited for`;
}

function namesOf({ laggards }: RootRefusal): readonly string[] {
  return laggards.map(shortName);
}
