/** What several have found, as one: of each check the first of them who could look, and who is nearest to it. */

import { checkIds, skipped, type CheckStatus, type DoctorFinding } from "./finding.ts";

/** @param sources the nearest first */
export function joinFindings(
  sources: readonly (readonly DoctorFinding[])[],
): readonly DoctorFinding[] {
  const ids = new Set<string>([...checkIds, ...sources.flat().map(({ id }) => id)]);
  return [...ids].flatMap((id) => {
    const each = sources.map((findings) => findings.filter((finding) => finding.id === id));
    const first = each.find((all) => all.some(({ status }) => status !== "skipped"));
    return first ?? whyNobody(id, each.flat());
  });
}

/** Nobody could look, each for his own reason. */
function whyNobody(id: string, all: readonly DoctorFinding[]): readonly DoctorFinding[] {
  if (all.length === 0) return [];
  const unique = (texts: readonly string[]): string =>
    [...new Set(texts)].filter((text) => text !== "").join("; ");
  const finding = unique(all.map((each) => each.finding));
  return [{ id, status: "skipped", finding, hint: unique(all.map(({ hint }) => hint)) }];
}

/** Of each check that is known here: that nobody could make it, for this reason. */
export function allSkipped(why: string): readonly DoctorFinding[] {
  return checkIds.map((id) => ({ id, ...skipped(why) }));
}

/** @returns "skipped" where no check could look */
export function worstOf(findings: readonly DoctorFinding[]): CheckStatus {
  const order: readonly CheckStatus[] = ["critical", "warning", "ok"];
  return order.find((each) => findings.some(({ status }) => status === each)) ?? "skipped";
}
