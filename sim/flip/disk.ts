/** What the server keeps: it outlives its processes, and each write may be the last thing that one of them does. */

import { DatabaseSync } from "node:sqlite";
import type { JsonObject } from "../../src/core/identity/json-object.ts";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
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

export class Disk {
  readonly plan: CrashPlan<FlipWrite> = new CrashPlan<FlipWrite>();
  /** Of flips: what the log says of each change, in order. */
  readonly log: string[] = [];
  /** By id, as `encodeFlip` writes them. */
  readonly flips: Map<number, string> = new Map();
  /** By `refKey`. */
  readonly objects: Map<string, StoredObject> = new Map();
  /** Names, and until when each counts. */
  readonly waivers: Map<string, number> = new Map();
  readonly evidence: DatabaseSync;
  readonly told: Told;

  constructor(nowMs: number) {
    this.evidence = new DatabaseSync(":memory:");
    for (const step of evidenceMigrations) this.evidence.exec(step);
    const meta = "INSERT INTO meta (id, created_ms, known_ms) VALUES (1, ?, ?)";
    this.evidence.prepare(meta).run(nowMs, nowMs);
    this.told = new Told(this.evidence);
  }

  /** @throws crash */
  write<T>(name: FlipWrite, write: () => T): T {
    if (this.plan.strikes(name, "before")) throw crash;
    const result = write();
    if (this.plan.strikes(name, "after")) throw crash;
    return result;
  }
}
