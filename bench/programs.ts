/**
 * The load generators: builds the Go programs in load/ into the user's cache. They are Go because a
 * client in Node would cost more than the server that it measures on the same machine.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PortcullisError } from "../src/core/error.ts";

export type LoadErrorCode =
  | "load-go-missing"
  | "load-build-failed"
  | "load-run-failed"
  | "load-outcome-malformed";

export class LoadError extends PortcullisError<LoadErrorCode> {
  override name = "LoadError";
}

/** Paths. */
export interface Programs {
  /** Asks for certificates. */
  readonly load: string;
  /** Is the SDS side of many Envoys. */
  readonly sds: string;
  /** Is many agents, as a server sees them. */
  readonly agents: string;
  /** Connects in plaintext, and answers as the application. */
  readonly outsider: string;
}

const SOURCES = join(import.meta.dirname, "load");
const run = promisify(execFile);

/**
 * Builds them if these sources were not built before.
 *
 * @throws LoadError `load-go-missing`, `load-build-failed`
 */
export async function buildPrograms(signal?: AbortSignal): Promise<Programs> {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const directory = join(cache, "portcullis", "bench", await hashSources());
  const path = (name: string): string => join(directory, name);
  const [load, sds, agents] = [path("load"), path("sds"), path("agents")];
  const programs = { load, sds, agents, outsider: path("outsider") };
  if (await exists(directory)) return programs;
  // Built aside and renamed: whoever finds the name finds whole programs.
  const unfinished = `${directory}.${process.pid}`;
  try {
    await mkdir(unfinished, { recursive: true });
    await run(
      "go",
      ["build", "-trimpath", "-o", unfinished, ".", "./sds", "./agents", "./outsider"],
      {
        cwd: SOURCES,
        env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" },
        ...(signal && { signal }),
      },
    );
    await rename(unfinished, directory);
  } catch (cause) {
    signal?.throwIfAborted();
    await rm(unfinished, { recursive: true, force: true });
    // Another process may have been quicker.
    if (!(await exists(directory))) throw buildError(cause);
  }
  return programs;
}

/** What the program said itself is worth more than the command line that failed. */
export function describeFailure(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const stderr = "stderr" in cause ? String(cause.stderr).trim() : "";
  return (stderr || cause.message).slice(0, 2000);
}

async function hashSources(): Promise<string> {
  const hash = createHash("sha256").update(`${process.platform}/${process.arch}\n`);
  const names = await readdir(SOURCES, { recursive: true });
  for (const name of names.filter((name) => /\.(?:go|mod|sum)$/.test(name)).toSorted()) {
    hash.update(`${name}\n`).update(await readFile(join(SOURCES, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

function buildError(cause: unknown): LoadError {
  if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
    return new LoadError("load-go-missing", "the load generator needs Go to be built, got none", {
      cause,
      hint: "install Go 1.24 or newer and have `go` in PATH",
    });
  }
  return new LoadError("load-build-failed", `go build failed: ${describeFailure(cause)}`, {
    cause,
    hint: "the first build fetches golang.org/x/net: check the network and GOPROXY",
  });
}
