/** A server in this process on a directory that outlives it, and what it says of itself. */

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  scrape,
  startControlPlane,
  type TestControlPlane,
  type TestControlPlaneOptions,
} from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

export interface DataDirectory extends Disposable {
  readonly path: string;
}

export function dataDirectory(): DataDirectory {
  const temporary = temporaryDirectory();
  return {
    path: join(temporary.path, "data"),
    [Symbol.dispose]: () => temporary[Symbol.dispose](),
  };
}

export function startOn(
  { path }: DataDirectory,
  { flags, ...options }: TestControlPlaneOptions = {},
): Promise<TestControlPlane> {
  return startControlPlane({ ...options, flags: { "data-dir": path, ...flags } });
}

/** Lets it run once, for as long as `work` takes. */
export async function runOnce(
  directory: DataDirectory,
  work: (it: TestControlPlane) => Promise<void> = async () => {},
): Promise<void> {
  await using it = await startOn(directory);
  await work(it);
}

/** Status and text of `/readyz`. */
export async function readiness({ controlPlane }: TestControlPlane): Promise<string> {
  const response = await fetch(`${controlPlane.endpoints.metrics}/readyz`);
  return `${response.status} ${(await response.text()).trimEnd()}`;
}

export async function assertSays(
  it: TestControlPlane,
  ready: RegExp,
  metric: string,
  value: number,
): Promise<void> {
  assert.match(await readiness(it), ready);
  assert.equal((await scrape(it)).get(metric), value, metric);
}
