/** What the server keeps: it outlives its processes, and each write may be the last thing that one of them does. */

import { DatabaseSync } from "node:sqlite";
import type { JsonObject } from "../../src/core/identity/json-object.ts";
import { refKey, type PolicyObject } from "../../src/core/resources/policy-object.ts";
import type { ResourceName } from "../../src/core/resources/resource.ts";
import type { WorkloadEntry } from "../../src/core/resources/workload-entry.ts";
import { evidenceMigrations } from "../../src/edge/evidence/evidence-schema.ts";
import { crash, CrashPlan } from "../server/crash.ts";
import { Told } from "./told.ts";

export const flipWrites = ["log", "flip", "object", "evidence", "waivers"] as const;

export type FlipWrite = (typeof flipWrites)[number];

export interface StoredObject {
  readonly object: PolicyObject;
  /** Of what flips edit. */
  readonly manifest: JsonObject | undefined;
}

export interface Waiver {
  readonly sinceMs: number;
  readonly untilMs: number;
}

export class Disk {
  readonly plan: CrashPlan<FlipWrite> = new CrashPlan<FlipWrite>();
  /** Of flips: what the log says of each change, in order. */
  readonly log: string[] = [];
  /** By id, as `encodeFlip` writes them. */
  readonly flips: Map<number, string> = new Map();
  /** By `refKey`. */
  readonly objects: Map<string, StoredObject> = new Map();
  /** By the same; since when those that are not there are missed, and when they were put there last. */
  readonly absentSinceMs: Map<string, number> = new Map();
  readonly putMs: Map<string, number> = new Map();
  readonly waivers: Map<string, Waiver> = new Map();
  readonly evidence: DatabaseSync;
  /** Since when nobody can ask it; undefined: it can be asked. */
  blindSinceMs: number | undefined;
  /** Until when nobody could. */
  blindUntilMs = 0;
  readonly told: Told;

  constructor(nowMs: number) {
    this.evidence = new DatabaseSync(":memory:");
    for (const step of evidenceMigrations) this.evidence.exec(step);
    const meta = "INSERT INTO meta (id, created_ms, known_ms) VALUES (1, ?, ?)";
    this.evidence.prepare(meta).run(nowMs, nowMs);
    this.told = new Told(this.evidence);
  }

  see(nowMs: number): void {
    if (this.blindSinceMs !== undefined) this.blindUntilMs = nowMs;
    this.blindSinceMs = undefined;
  }

  /** @throws crash */
  write<T>(name: FlipWrite, write: () => T): T {
    if (this.plan.strikes(name, "before")) throw crash;
    const result = write();
    if (this.plan.strikes(name, "after")) throw crash;
    return result;
  }
}

export function waivedAt({ waivers }: Pick<Disk, "waivers">, nowMs: number): ReadonlySet<string> {
  const counting = Array.from(waivers).filter(([, { untilMs }]) => untilMs > nowMs);
  return new Set(counting.map(([name]) => name));
}

export function entryIn(
  { objects }: Pick<Disk, "objects">,
  name: ResourceName,
): WorkloadEntry | undefined {
  const found = objects.get(refKey({ kind: "WorkloadEntry", ...name }))?.object;
  return found?.kind === "WorkloadEntry" ? found.object : undefined;
}
