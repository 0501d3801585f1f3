/** The server itself: whether it answers and signs, what it has refused, and what it keeps. */

import type { Problem } from "../problem.ts";
import { critical, ok, orOk, someOf, warning, type Said } from "./finding.ts";

export function checkSigning(problems: readonly Problem[]): readonly Said[] {
  const found = problems.map(({ detail, hint }) =>
    critical(`nothing is signed: ${detail}`, hint || "the server's log says why"),
  );
  return orOk(found, "certificates are signed");
}

/** @param alarms what agents, or the server itself, have found wrong with the log */
export function checkLog(alarms: number): readonly Said[] {
  if (alarms === 0) return [ok("nobody has found anything wrong with the log")];
  return [critical(`${alarms} alarms about the log`, "portcullis audit verify")];
}

export interface RefusedReload {
  readonly part: string;
  readonly detail: string;
  readonly hint: string;
}

export function checkReloads(refused: readonly RefusedReload[]): readonly Said[] {
  const found = refused.map(({ part, detail, hint }) =>
    warning(`an older ${part} runs than stands on disk: ${detail}`, hint || "mend it, then SIGHUP"),
  );
  return orOk(found, "what stands on disk runs");
}

export interface EvidenceFacts {
  /** Since when connections are kept; undefined: they are not. */
  readonly sinceMs: number | undefined;
  /** Names of files that were set aside. */
  readonly aside: readonly string[];
  readonly retentionMs: number;
  readonly lookBackMs: number;
}

export function checkEvidence(facts: EvidenceFacts): readonly Said[] {
  const { sinceMs, aside, retentionMs, lookBackMs } = facts;
  const found: Said[] = [];
  if (sinceMs === undefined) {
    const finding = "evidence.db is not written: no port is SAFE, and no flip goes on";
    found.push(critical(finding, "the server's log says why: evidence-failed"));
  }
  if (aside.length > 0) {
    const began = sinceMs === undefined ? "" : `; what is kept begins at ${timeOf(sinceMs)}`;
    const finding = `a damaged evidence.db was set aside as ${someOf(aside)}${began}`;
    found.push(warning(finding, "look at the disk; then delete the file, and this is over"));
  }
  if (lookBackMs > retentionMs) {
    const finding = "evidence is kept for less long than verdicts look back: none is SAFE";
    found.push(critical(finding, "give a longer --evidence-retention, or a shorter --look-back"));
  }
  return orOk(found, `connections are kept since ${timeOf(sinceMs ?? 0)}`);
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

export interface FileFact {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly isOurs: boolean;
}

/** What lies in a data directory opens to its owner alone: keys are there. */
export function checkDataDirectory(files: readonly FileFact[]): readonly Said[] {
  const open = files.filter(({ mode }) => (mode & 0o077) !== 0);
  const foreign = files.filter(({ isOurs }) => !isOurs);
  const [first] = files;
  const pathsOf = (facts: readonly FileFact[]): string => someOf(facts.map(({ path }) => path));
  return orOk(
    [
      ...(open.length === 0
        ? []
        : [
            critical(
              `others may enter or read ${pathsOf(open)}`,
              `chmod -R go= ${first?.path ?? ""}`,
            ),
          ]),
      ...(foreign.length === 0
        ? []
        : [
            critical(
              `${pathsOf(foreign)} belongs to another user`,
              "who wrote it? the server's user owns all of it",
            ),
          ]),
    ],
    `${first?.path ?? ""} is closed to others`,
  );
}

export interface PortFact {
  /** `the CA`, `metrics` */
  readonly name: string;
  readonly address: string;
  /** Why it does not answer as it should; "" where it does. */
  readonly problem: string;
}

export function checkPorts(ports: readonly PortFact[]): readonly Said[] {
  const found = ports
    .filter(({ problem }) => problem !== "")
    .map(({ name, address, problem }) =>
      critical(
        `${name} at ${address}: ${problem}`,
        "does something else listen there? portcullis status",
      ),
    );
  return orOk(found, ports.map(({ name, address }) => `${name} at ${address}`).join(", "));
}
