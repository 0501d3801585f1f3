/** What an answer about a target says besides its verdict: which flips are under way there, and what of a namespace is no part of it. */

import type { Flip } from "../../../core/flip/flip.ts";
import { otherDecisions, type OtherDecision } from "../../../core/flip/other-decisions.ts";
import { shareWorkloads } from "../../../core/flip/shared-workloads.ts";
import { areApart, membersOf, type FlipTarget } from "../../../core/flip/target.ts";
import { Holds } from "../../../core/policy/holds.ts";
import { nameKey, type Labels } from "../../../core/resources/resource.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import type { Flips } from "./flips.ts";
import type { FlipUnderWay, TargetSurroundings } from "./surroundings.ts";
import { workloadStates } from "./workload-states.ts";

export interface SurroundingsDependencies {
  readonly flips: Pick<Flips, "underWay" | "holds" | "report">;
  readonly control: Pick<PolicyControl, "index" | "proxies">;
  readonly configuration: Pick<FlipConfiguration, "viewOf">;
}

export function surroundingsOf(
  dependencies: SurroundingsDependencies,
  target: FlipTarget,
): TargetSurroundings {
  const { flips, configuration } = dependencies;
  const view = configuration.viewOf(target.namespace);
  const beside = flips.underWay.filter((each) => !areApart(each.target, target));
  return {
    flips: beside.map((flip) => ({ flip, ...countsOf(flips, flip) })),
    others: othersOf(dependencies, target),
    holds: new Holds(flips.holds),
    isMoving: beside.some(
      (flip) => flip.state.kind !== "watching" && shareWorkloads(view, flip.target, target),
    ),
  };
}

/** Of anything but a namespace: none. */
export function othersOf(
  { flips, control, configuration }: SurroundingsDependencies,
  target: FlipTarget,
): readonly OtherDecision[] {
  if (target.name !== "") return [];
  const { namespace } = target;
  const holds = new Holds(flips.holds);
  const strays = straysOf(control, namespace);
  return otherDecisions(configuration.viewOf(namespace), target, { holds, strays });
}

/** Of whom is known, by the configuration or by a stream: of nobody at all it is not so. */
export function isDecidedByOthers(
  dependencies: SurroundingsDependencies,
  target: FlipTarget,
): boolean {
  const decided = new Set(othersOf(dependencies, target).flatMap(({ workloads }) => workloads));
  const view = dependencies.configuration.viewOf(target.namespace);
  const strays = straysOf(dependencies.control, target.namespace);
  const isLeft = membersOf(view, target).members.length > 0;
  return decided.size > 0 && !isLeft && strays.every(({ name }) => decided.has(name));
}

function countsOf(
  flips: Pick<Flips, "report">,
  flip: Flip,
): Pick<FlipUnderWay, "strict" | "workloads"> {
  const stateOf = workloadStates(flip);
  const states = flips.report(flip).workloads.map(stateOf);
  const able = states.filter((state) => state !== "no-proxy");
  return { strict: able.filter((state) => state === "in-force").length, workloads: able.length };
}

function straysOf(
  { index, proxies }: SurroundingsDependencies["control"],
  of: string,
): readonly { readonly name: string; readonly labels: Labels }[] {
  return [...proxies.all()]
    .filter(({ identity }) => identity.namespace === of)
    .filter(({ identity }) => index.workloadOf(identity.key) === undefined)
    .map(({ identity: { namespace, nodeId: name, claimedLabels: labels } }) => {
      return { name: nameKey({ namespace, name }), labels };
    });
}
