/** What flips ask of `evidence.db`. */

import type { Holder } from "../../../core/evidence/address-history.ts";
import { AddressHistory } from "../../../core/evidence/address-history.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import type { StoredSeen } from "../../../edge/evidence/evidence-question.ts";
import type { ConnectionEvidence } from "../evidence/connection-evidence.ts";

export type EvidenceQuestions = Pick<
  ConnectionEvidence,
  "membersOf" | "seen" | "refusedSince" | "spans" | "holders" | "summary"
>;

/** Who held an address at a time. */
export type HolderOf = (address: string, firstMs: number, lastMs: number) => Holder;

/** Of all addresses in these rows. Rejects with EvidenceStoreError. */
export async function holdersIn(
  questions: Pick<EvidenceQuestions, "holders">,
  rows: readonly StoredSeen[],
  sinceMs: number,
): Promise<HolderOf> {
  const addresses = new Set<string>();
  for (const { source } of rows) if (source.kind === "address") addresses.add(source.address);
  const spans = addresses.size === 0 ? [] : await questions.holders([...addresses], sinceMs);
  const history = new AddressHistory(spans);
  return (...of) => history.holderOf(...of);
}

/** Nothing is recorded, as after a start without a file to write to. */
export const notRecorded: EvidenceQuestions = {
  membersOf: unavailable,
  seen: unavailable,
  refusedSince: unavailable,
  spans: unavailable,
  holders: unavailable,
  summary: unavailable,
};

function unavailable(): Promise<never> {
  const hint = "restart the server: its log says what is wrong with the file";
  const message = "connections are not recorded since the server's start";
  return Promise.reject(new EvidenceStoreError("evidence-ended", message, { hint }));
}
