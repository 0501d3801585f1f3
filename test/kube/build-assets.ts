/**
 * Builds kube-apiserver and etcd from the Go module proxy, as the modules in `go` pin them. The binary is what is kept: Go's build cache
 * of 2.7 GB, which nothing else would use, is removed after it.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rename } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Guard } from "./guard.ts";
import { KubeTestError } from "./kube-error.ts";

export interface Asset {
  /** Of the directory in `go/` that pins it. */
  readonly module: "apiserver" | "etcd" | "helm";
  readonly command: string;
  readonly file: string;
  readonly ldflags: string;
  /** On two free cores. */
  readonly minutes: number;
}

/** The `go` lines of the modules in `go`; from 1.21 on, Go fetches that version by itself. */
const goVersion = "1.26";
const progressMs = 30_000;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface BuildOptions {
  /** Gets the file, under its final name only when it is whole. */
  readonly cache: string;
  /** Where Go is found, and its module cache. */
  readonly env: Environment;
  /** Told a line at the beginning, at the end, and twice a minute. */
  readonly notify: (line: string) => void;
}

/** @throws KubeTestError */
export async function buildAsset(
  asset: Asset,
  { cache, env, notify }: BuildOptions,
): Promise<void> {
  const directory = await mkdtemp(join(cache, "kube-build-"));
  await using guard = new Guard(directory);
  const startedMs = performance.now();
  const progress = setInterval(() => {
    notify(
      `still building ${asset.file}: ${minutesSince(startedMs)} of about ${asset.minutes} min`,
    );
  }, progressMs);
  try {
    notify(
      `building ${asset.file} from the Go module proxy, once: about ${asset.minutes} min on two free cores`,
    );
    await runGo(asset, directory, guard, env);
    await rename(join(directory, output), join(cache, asset.file));
    notify(`built ${asset.file} in ${minutesSince(startedMs)} min`);
  } finally {
    clearInterval(progress);
  }
}

const output = "binary";

async function runGo(
  asset: Asset,
  directory: string,
  guard: Guard,
  env: Environment,
): Promise<void> {
  const flags = ["-trimpath", "-mod=readonly", "-ldflags", `-s -w ${asset.ldflags}`];
  const child = spawn("go", ["build", ...flags, "-o", join(directory, output), asset.command], {
    cwd: join(import.meta.dirname, "go", asset.module),
    env: { GOTOOLCHAIN: "auto", ...env, ...goEnvironment(directory) },
    stdio: ["ignore", "ignore", "pipe"],
    // Its compilers are ended with it.
    detached: true,
  });
  const stderr = text(child.stderr);
  try {
    await once(child, "spawn");
  } catch (cause) {
    throw new KubeTestError(
      "kube-go-missing",
      `expected go on PATH, to build ${asset.file}, got none`,
      { cause, hint: howToGo },
    );
  }
  const { pid = 0 } = child;
  guard.add(-pid);
  await once(child, "close");
  guard.remove(-pid);
  if (child.exitCode === 0) return;
  const said = (await stderr).trim().split("\n").slice(-5).join("\n").slice(0, 2_000);
  throw new KubeTestError(
    "kube-build-failed",
    `expected go build to make ${asset.file}, got: ${said}`,
    { hint: howToGo },
  );
}

const howToGo =
  `install Go ${goVersion} or later (from 1.21 on it fetches what it needs, unless GOTOOLCHAIN=local), or set KUBEBUILDER_ASSETS ` +
  "to a directory with kube-apiserver and etcd, or PORTCULLIS_SKIP_KUBE=1 to go without these tests";

/** Nothing of the user's own settings changes what is built; what Go keeps stands in the directory that is removed. */
function goEnvironment(directory: string): Record<string, string> {
  return {
    CGO_ENABLED: "0",
    GOWORK: "off",
    GOFLAGS: "-buildvcs=false",
    GOCACHE: join(directory, "cache"),
    GOTMPDIR: directory,
  };
}

function minutesSince(startedMs: number): string {
  return ((performance.now() - startedMs) / 60_000).toFixed(1);
}
