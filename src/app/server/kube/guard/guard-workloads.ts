/** Who may be concerned by a change of a PeerAuthentication: those that the configuration names, and those of whom evidence tells. */

import type { KnownWorkload } from "../../../../core/kube/guard/stricter-ports.ts";
import type { MeshView } from "../../../../core/policy/mesh-view.ts";
import { nameKey, type Labels } from "../../../../core/resources/resource.ts";
import { takesMeshTls } from "../../../../core/resources/workload-entry.ts";
import { EvidenceStoreError } from "../../../../edge/evidence/evidence-error.ts";
import type { EvidenceQuestions } from "../../flips/evidence-questions.ts";

export interface ConcernedWorkloads {
  readonly workloads: readonly KnownWorkload[];
  /** Evidence could not be read: there may be more, of whom nothing is known. */
  readonly isCut: boolean;
}

/** Each by what it was, and by what its proxy is now: who called it may call again. */
export async function concernedWorkloads(
  questions: Pick<EvidenceQuestions, "membersOf">,
  view: MeshView,
  { namespace, selectors, sinceMs }: ConcernedBy,
): Promise<ConcernedWorkloads> {
  const found: KnownWorkload[] = [];
  let isCut = false;
  for (const selector of selectors) {
    for (const { workloads } of view.selected(namespace, selector)) {
      for (const { ref, labels } of workloads.filter(takesMeshTls)) {
        found.push({ namespace, name: nameKey(ref), labels });
      }
    }
    const members = await orNothing(questions.membersOf(namespace, selector, sinceMs));
    isCut ||= members === undefined;
    for (const { name, labels, labelsNow } of members ?? []) {
      found.push({ namespace, name, labels });
      if (labelsNow !== undefined) found.push({ namespace, name, labels: labelsNow });
    }
  }
  return { workloads: found, isCut };
}

export interface ConcernedBy {
  readonly namespace: string;
  readonly selectors: readonly Labels[];
  readonly sinceMs: number;
}

/** @returns undefined where nothing is recorded, or cannot be read: that is not "nobody" */
export async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof EvidenceStoreError) return undefined;
    throw error;
  }
}
