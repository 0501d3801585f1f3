/** Which Portcullis this is. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The package's root, from `src/app/cli` as from `dist/app/cli`. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** @returns the version in package.json */
export function packageVersion(): string {
  const text = readFileSync(join(ROOT, "package.json"), "utf8");
  const { version }: { version: string } = JSON.parse(text);
  return version;
}

/**
 * @returns the commit of the clone this runs from; undefined outside one. Read from git's files,
 * since starting git would cost more than the rest of the verb.
 */
export function gitCommit(root: string = ROOT): string | undefined {
  const head = readText(join(root, ".git/HEAD"))?.trim();
  const ref = head?.match(/^ref: (?<ref>refs\/.+)$/)?.groups?.["ref"];
  if (ref === undefined) return asCommit(head);
  const loose = readText(join(root, ".git", ref))?.trim();
  return asCommit(loose) ?? packedCommit(root, ref);
}

function packedCommit(root: string, ref: string): string | undefined {
  const lines = readText(join(root, ".git/packed-refs"))?.split("\n") ?? [];
  const line = lines.find((each) => each.endsWith(` ${ref}`));
  return asCommit(line?.slice(0, -ref.length - 1));
}

function asCommit(text: string | undefined): string | undefined {
  return text !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text) ? text : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
