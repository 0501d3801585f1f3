/**
 * `portcullis server` as it is, which notes in files beside its data directory, a line each, in Unix milliseconds:
 *
 * - `accepted`: when a trust state was durable,
 * - `configured`: when a configuration was,
 * - `opened`: when a stage of a flip was,
 * - `acknowledged`: when it was told what a proxy has acknowledged, the mode of its first port, and whose it is.
 *
 * What is published is measured from there, and to there. Usage: timed-server.ts server --data-dir DIR FLAGS...
 */

import { appendFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { Rollout } from "../src/core/policy/rollout.ts";
import type { ProxyReport } from "../src/core/policy/rollout-proxy.ts";
import { StoredFlips, type FlipAtRest } from "../src/edge/store/flips.ts";
import { StoredResources, type ResourcesWrite } from "../src/edge/store/resources.ts";
import { Store, type NextTrust } from "../src/edge/store/store.ts";

const dataDir = process.argv[process.argv.indexOf("--data-dir") + 1] ?? "";
const fileOf = (name: string): string => join(dataDir, "..", name);
const replace = Reflect.get(Store.prototype, "replaceTrustState");
const change = Reflect.get(StoredResources.prototype, "change");
const put = Reflect.get(StoredFlips.prototype, "put");
const reported = Reflect.get(Rollout.prototype, "reported");

Store.prototype.replaceTrustState = function (this: Store, next: NextTrust): void {
  replace.call(this, next);
  appendFileSync(fileOf("accepted"), `${Date.now()}\n`);
};

StoredResources.prototype.change = function (
  this: StoredResources,
  before: number,
  write: ResourcesWrite,
): number {
  const sequence = change.call(this, before, write);
  appendFileSync(fileOf("configured"), `${Date.now()}\n`);
  return sequence;
};

/** By the flip's id. */
const openedStages = new Map<number, number>();

StoredFlips.prototype.put = function (
  this: StoredFlips,
  flip: FlipAtRest,
  forgotten: readonly number[],
): void {
  put.call(this, flip, forgotten);
  const nowMs = Date.now();
  const { opened }: { readonly opened: readonly unknown[] } = JSON.parse(flip.document);
  const isNew = opened.length > (openedStages.get(flip.id) ?? 0);
  openedStages.set(flip.id, opened.length);
  if (isNew) appendFileSync(fileOf("opened"), `${nowMs}\n`);
};

/** The file is not to be written for each. */
const writeMs = 250;
let lines = "";
let timer: NodeJS.Timeout | undefined;

Rollout.prototype.reported = function (this: Rollout, key: string, report: ProxyReport): void {
  reported.call(this, key, report);
  const { applied } = report;
  if (typeof applied !== "object") return;
  lines += `${Date.now()} ${applied.inbound[0]?.mode ?? "none"} ${key}\n`;
  timer ??= setTimeout(() => {
    const due = lines;
    lines = "";
    timer = undefined;
    void appendFile(fileOf("acknowledged"), due);
  }, writeMs);
};

await import("../src/app/cli/main.ts");
