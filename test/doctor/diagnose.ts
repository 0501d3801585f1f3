/** `portcullis doctor -o json` as a value. */

import assert from "node:assert/strict";
import type { DoctorFinding } from "../../src/core/doctor/finding.ts";
import { runVerb } from "../server/portcullis-process.ts";

export interface Diagnosis {
  readonly code: number | null;
  readonly all: readonly DoctorFinding[];
  readonly stderr: string;
  /** The first of a check. */
  readonly of: (id: string) => DoctorFinding;
}

export async function diagnose(flags: readonly string[]): Promise<Diagnosis> {
  const { status: code, stdout, stderr } = await runVerb(["doctor", "-o", "json", ...flags]);
  const all = stdout === "" ? [] : findingsIn(stdout);
  const of = (id: string): DoctorFinding => {
    const found = all.find((each) => each.id === id);
    assert.ok(found, `expected ${id}, got ${all.map((each) => each.id).join()}: ${stderr}`);
    return found;
  };
  return { code, all, stderr, of };
}

function findingsIn(json: string): readonly DoctorFinding[] {
  const { findings } = JSON.parse(json) as { readonly findings: readonly DoctorFinding[] };
  return findings;
}
