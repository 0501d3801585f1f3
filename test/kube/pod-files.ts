/**
 * What a kubelet mounts into a pod for its account, at the place where every client looks. Files are links into a directory that is
 * exchanged as a whole (`pkg/volume/util/atomic_writer.go`). The place is this machine's, for one at a time: it is a link that is taken away again.
 */

import { lstat, mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const place = "/var/run/secrets/kubernetes.io/serviceaccount";
const prefix = "portcullis-pod-";

export type PodFilesContent = Readonly<Record<"token" | "ca.crt" | "namespace", string>>;

export class PodFiles implements AsyncDisposable {
  readonly #directory: string;
  #writes = 0;
  /** The first directory above the place that was not there. */
  #made: string | undefined;

  /** @returns why this machine cannot have them; undefined where it can */
  static async hindrance(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return `only root may make ${place}`;
    const there = await lstat(place).catch(() => undefined);
    if (there === undefined) return undefined;
    const isOurs = there.isSymbolicLink() && (await readlink(place)).includes(prefix);
    return isOurs ? undefined : `${place} is a pod's own`;
  }

  static async mount(content: PodFilesContent): Promise<PodFiles> {
    const files = new PodFiles(await mkdtemp(join(tmpdir(), prefix)));
    await files.write(content);
    for (const name of Object.keys(content)) {
      await symlink(join("..data", name), join(files.#directory, name));
    }
    files.#made = await mkdir(dirname(place), { recursive: true });
    await rm(place, { force: true });
    await symlink(files.#directory, place);
    return files;
  }

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** All at one moment. */
  async write(content: PodFilesContent): Promise<void> {
    const name = `..write-${this.#writes++}`;
    const directory = join(this.#directory, name);
    await mkdir(directory);
    for (const [file, text] of Object.entries(content))
      await writeFile(join(directory, file), text);
    const next = join(this.#directory, "..data_tmp");
    await symlink(name, next);
    await rename(next, join(this.#directory, "..data"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(place, { force: true });
    if (this.#made !== undefined) await rm(this.#made, { recursive: true });
    await rm(this.#directory, { recursive: true, force: true });
  }
}
