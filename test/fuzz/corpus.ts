/** The inputs on disk: a folder for each target, with good ones to start from and each that once showed a fault. */

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { FuzzTarget } from "./target.ts";

const corpusDir = join(import.meta.dirname, "..", "corpus");

export interface CorpusFile {
  readonly name: string;
  readonly input: Uint8Array;
}

/** By name, so that a seed means the same everywhere. */
export function readCorpus({ name: target }: FuzzTarget): readonly CorpusFile[] {
  const folder = join(corpusDir, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .map((name) => ({ name, input: Uint8Array.from(readFileSync(join(folder, name))) }));
}

/** @param kind "crash", "hang", or "path" for one that only runs code that no other does */
export function saveInput(target: FuzzTarget, kind: string, input: Uint8Array): string {
  const digest = createHash("sha256").update(input).digest("hex").slice(0, 12);
  return write(target, `${kind}-${digest}`, input);
}

/** What is there stays: ECDSA signatures would be others each time. */
export function writeSeeds(target: FuzzTarget): void {
  for (const [name, input] of Object.entries(target.seeds())) {
    if (existsSync(join(corpusDir, target.name, name))) continue;
    write(target, name, Buffer.from(input));
  }
}

function write({ name: target }: FuzzTarget, name: string, input: Uint8Array): string {
  mkdirSync(join(corpusDir, target), { recursive: true });
  const path = join(corpusDir, target, name);
  writeFileSync(path, input);
  return path;
}
