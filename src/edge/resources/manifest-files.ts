/**
 * The manifests in a directory: `*.yaml`, `*.yml`, `*.json`, a few directories deep, by path. Links are followed, since the kubelet
 * mounts a ConfigMap as links into `..data`; what begins with a dot is not a manifest's name.
 */

import { lstat, readdir, stat } from "node:fs/promises";
import type { BigIntStats } from "node:fs";
import { join } from "node:path";

import { errnoOf } from "../config/errno.ts";
import {
  fileError,
  PrivateFileError,
  readBoundedFile,
  withinDeadline,
} from "../config/private-files.ts";
import { manifestLimits } from "./manifest.ts";

export interface ManifestFile {
  /** With the directory's. */
  readonly path: string;
  /** The same as long as nobody has written into it, or put another in its place. */
  readonly version: string;
}

export interface ManifestDirectory {
  /** The same as long as nothing else is mounted in its place. */
  readonly identity: string;
  /** By path. */
  readonly files: readonly ManifestFile[];
}

const depthMax = 5;
const filesMax = 10_000;

/** @throws PrivateFileError, also for more files than are taken */
export async function listManifests(directory: string): Promise<ManifestDirectory> {
  try {
    return await withinDeadline(directory, list(directory));
  } catch (error) {
    throw fileError(directory, error);
  }
}

/** @throws PrivateFileError */
export async function readManifest(path: string): Promise<string> {
  const bytes = await readBoundedFile(path, manifestLimits.fileBytes);
  return Buffer.from(bytes).toString("utf8");
}

async function list(directory: string): Promise<ManifestDirectory> {
  const { dev, ino } = await stat(directory, { bigint: true });
  const files: ManifestFile[] = [];
  await addFrom(directory, 1, files);
  return { identity: `${dev} ${ino}`, files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)) };
}

async function addFrom(directory: string, depth: number, files: ManifestFile[]): Promise<void> {
  const names = await readdir(directory).catch((error: unknown) => {
    throw fileError(directory, error);
  });
  for (const name of names.filter((each) => !each.startsWith("."))) {
    const path = join(directory, name);
    const isManifest = /\.(?:ya?ml|json)$/i.test(name);
    const stats = await stat(path, { bigint: true }).catch(async (error: unknown) => {
      if (!isManifest) await assertGone(path, error);
    });
    if (stats?.isDirectory() === true) {
      if (depth < depthMax) await addFrom(path, depth + 1, files);
    } else if (isManifest) {
      files.push({ path, version: stats === undefined ? "unreadable" : versionOf(stats) });
    }
    if (files.length > filesMax) {
      throw new PrivateFileError(
        "file-too-large",
        `${directory}: expected at most ${filesMax} manifests, got more`,
      );
    }
  }
}

function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** One that goes away while we look is not there. Whatever else cannot be looked at may be a directory with manifests. */
async function assertGone(path: string, error: unknown): Promise<void> {
  const isGone = await lstat(path).then(
    () => false,
    (failure: unknown) => errnoOf(failure) === "ENOENT",
  );
  if (!isGone) throw fileError(path, error);
}

/** What is there, or why it cannot be read. */
export async function contentOf(
  path: string,
): Promise<{ readonly text: string } | { readonly failure: string }> {
  try {
    return { text: await readManifest(path) };
  } catch (error) {
    if (!(error instanceof PrivateFileError)) throw error;
    return { failure: failureOf(path, error) };
  }
}

/** Its message begins with the path, which problems say by themselves. */
export function failureOf(path: string, { message }: PrivateFileError): string {
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
}
