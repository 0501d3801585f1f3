/** A file system of its own that is soon full: only root may mount one. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Leaves no room, until it is emptied. */
  readonly fill: () => void;
  readonly empty: () => void;
}

/** An empty file system of 4 MiB. */
export function smallDisk(): SmallDisk {
  const directory = temporaryDirectory();
  const { path } = directory;
  const { status, stderr } = mount(path);
  assert.equal(status, 0, stderr);
  const ballast = join(path, "ballast");
  return {
    path,
    fill: () => {
      const { bavail, bsize } = statfsSync(path);
      try {
        writeFileSync(ballast, Buffer.alloc(bavail * bsize));
      } catch {
        // The last page may be somebody else's by now.
      }
    },
    empty: () => rmSync(ballast),
    [Symbol.dispose]: () => {
      spawnSync("umount", ["--lazy", path]);
      directory[Symbol.dispose]();
    },
  };
}

/** For the options of a test. */
export const withSmallDisk: { readonly skip: string | false } = {
  skip: canMount() ? false : "needs root on Linux, to mount a small file system",
};

function canMount(): boolean {
  if (process.platform !== "linux" || process.geteuid?.() !== 0) return false;
  using directory = temporaryDirectory();
  const { status } = mount(directory.path);
  if (status === 0) spawnSync("umount", [directory.path]);
  return status === 0;
}

function mount(path: string): { readonly status: number | null; readonly stderr: string } {
  const args = ["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", path];
  return spawnSync("mount", args, { encoding: "utf8" });
}
