/** Where a server's problem stands: its directory's texts begin with `FILE:LINE: `, or with the directory. */

import type { Finding } from "../../core/policy/finding.ts";
import type { LocatedFinding } from "./finding-table.ts";

const inFile = /^(?<origin>.+?\.(?:ya?ml|json)(?::\d+)?): (?<rest>.+)$/is;
const inDirectory = /^(?<origin>\/.*?): (?<rest>.+)$/s;

export function locatedProblem(finding: Finding): LocatedFinding {
  // Of what was applied: it names the other's place.
  const isApplied = finding.code === "applied-hidden";
  const groups = isApplied
    ? undefined
    : (inFile.exec(finding.text) ?? inDirectory.exec(finding.text))?.groups;
  const { origin = "", rest = finding.text } = groups ?? {};
  return { ...finding, origin, text: rest };
}
