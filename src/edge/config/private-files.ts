/**
 * The one place for file safety: directories that only we can enter, files that appear whole or not
 * at all, reads that are bounded. Keys, sockets and tokens live behind these functions, so a path
 * is judged by what is really there (`lstat`, `fstat`), never by what was asked for; what looks
 * wrong is refused, never repaired.
 */

import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { getSystemErrorMessage } from "node:util";

import { PortcullisError } from "../../core/error.ts";
import { durable } from "../store/durable.ts";
import { errnoOf } from "./errno.ts";
import { makeDirectory } from "./make-directory.ts";

export type PrivateFileErrorCode =
  | "file-io"
  | "file-kind"
  | "file-missing"
  | "file-mode"
  | "file-owner"
  | "file-too-large";

export class PrivateFileError extends PortcullisError<PrivateFileErrorCode> {
  override name = "PrivateFileError";
}

/**
 * Makes `path` (and its missing parents) with mode 0700, or checks that what is there is a real
 * directory, owned by us and closed to everybody else. One that is empty and that nobody else could
 * write to, as a plain mkdir leaves it, is closed. Any other open directory is refused: who could
 * enter it may have left something there, and `/var/lib` by mistake must not become 0700.
 */
export async function ensurePrivateDir(path: string): Promise<void> {
  // Without resolve, a trailing slash would make lstat follow a symbolic link.
  const directory = resolve(path);
  try {
    await makeDirectory(directory, 0o700);
    await closeIfNew(directory);
    assertPrivate(directory, await lstat(directory), "directory");
  } catch (error) {
    throw fileError(directory, error);
  }
}

/**
 * Replaces `path` by `bytes`: durable when the promise resolves, and at no moment partial. The file
 * has exactly `mode`, whatever the umask. A symbolic link at `path` is replaced, never followed.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  mode: number,
): Promise<void> {
  const target = resolve(path);
  const directory = dirname(target);
  const suffix = randomBytes(8).toString("hex");
  const temporary = join(directory, `.${basename(target)}.${suffix}.tmp`);
  try {
    await writeNewFile(temporary, bytes, mode);
    await durable("file-replace", async () => {
      await rename(temporary, target);
      await syncDirectory(directory);
    });
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw fileError(target, error);
  }
}

/**
 * Reads a file that we wrote: a regular file, not a link, owned by us, closed to everybody else.
 */
export async function readPrivateFile(path: string, bytesMax: number): Promise<Uint8Array> {
  // O_NONBLOCK, since opening a FIFO for reading would wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    await using handle = await open(path, flags);
    assertPrivate(path, await handle.stat(), "file");
    return await readBounded(path, handle, bytesMax);
  } catch (error) {
    throw fileError(path, error);
  }
}

/**
 * Reads a file that the operator names. Links are the operator's business (a mounted Secret is made
 * of them), the size is ours. A FIFO or a device is refused: waiting for a writer, the thread that
 * reads could not even be ended by a signal.
 *
 * @throws PrivateFileError, within 15 seconds also where the mount hangs
 */
export async function readBoundedFile(path: string, bytesMax: number): Promise<Uint8Array> {
  return await withinDeadline(path, readRegular(path, bytesMax));
}

/** Of what is asked of a file system that may hang: a mount without its server never answers. */
export async function withinDeadline<T>(path: string, answer: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const reason = `no answer from its file system within ${FILE_DEADLINE_MS / 1_000} s`;
    const hint = "is its mount alive?";
    reject(new PrivateFileError("file-io", `${path}: ${reason}`, { hint }));
  }, FILE_DEADLINE_MS);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}

const FILE_DEADLINE_MS = 15_000;

async function readRegular(path: string, bytesMax: number): Promise<Uint8Array> {
  try {
    // O_NONBLOCK, since opening a FIFO for reading would wait for a writer.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (!stats.isFile()) throw notOfKind(path, stats, "file");
    return await readBounded(path, handle, bytesMax);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Judges and changes one and the same directory: a link in its place is not followed. */
async function closeIfNew(path: string): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const handle = await open(path, flags).catch(() => undefined);
  if (handle === undefined) return;
  await using directory = handle;
  const { uid, mode } = await directory.stat();
  const mayHaveBeenWritten = uid !== process.geteuid?.() || (mode & 0o022) !== 0;
  if (mayHaveBeenWritten || (mode & 0o077) === 0 || (await readdir(path)).length > 0) return;
  await directory.chmod(0o700);
}

function assertPrivate(path: string, stats: Stats, kind: "directory" | "file"): void {
  if (!(kind === "directory" ? stats.isDirectory() : stats.isFile())) {
    throw notOfKind(path, stats, kind);
  }
  if (stats.uid !== process.geteuid?.()) {
    const owners = `expected uid ${process.geteuid?.()}, got ${stats.uid}`;
    throw new PrivateFileError("file-owner", `${path}: the ${kind} is not ours: ${owners}`, {
      hint: `run it as that user: sudo -u '#${stats.uid}' ...`,
    });
  }
  if ((stats.mode & 0o077) !== 0) {
    const mode = kind === "directory" ? "700" : "600";
    const found = (stats.mode & 0o777).toString(8).padStart(3, "0");
    throw new PrivateFileError("file-mode", `${path}: expected mode ${mode}, got ${found}`, {
      hint: `if nobody else put anything there: chmod ${mode} '${path}'`,
    });
  }
}

export function notOfKind(
  path: string,
  stats: Stats,
  kind: "directory" | "file",
): PrivateFileError {
  const message = `${path}: expected a ${kind}, got ${kindName(stats)}`;
  return new PrivateFileError("file-kind", message);
}

function kindName(stats: Stats): string {
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return stats.isFile() ? "a file" : "a device";
}

async function writeNewFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  // "wx" is O_EXCL: it neither follows a link nor opens what somebody else put there.
  await using handle = await open(path, "wx", 0o600);
  await handle.writeFile(bytes);
  await handle.chmod(mode);
  await handle.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await handle.sync();
}

/** @throws PrivateFileError `file-too-large` */
export async function readBounded(
  path: string,
  handle: Pick<FileHandle, "read">,
  bytesMax: number,
): Promise<Uint8Array> {
  // One byte more than allowed tells "full" from "too large", also for files that grow or have no
  // size.
  const buffer = new Uint8Array(bytesMax + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) return buffer.slice(0, length);
    length += bytesRead;
  }
  throw new PrivateFileError(
    "file-too-large",
    `${path}: expected at most ${bytesMax} bytes, got more`,
  );
}

const CODES_BY_ERRNO: ReadonlyMap<string, PrivateFileErrorCode> = new Map([
  ["EEXIST", "file-kind"],
  ["EISDIR", "file-kind"],
  ["ELOOP", "file-kind"],
  ["ENOENT", "file-missing"],
  ["ENOTDIR", "file-kind"],
  // A socket, or a device that is not there.
  ["ENXIO", "file-kind"],
]);

/** Where the system's own words would mislead. */
const MESSAGES_BY_ERRNO: ReadonlyMap<string, string> = new Map([
  ["ELOOP", "expected a file, got a symbolic link"],
  ["ENXIO", "expected a file, got a socket or a device"],
]);

/** What the system said, by its path; one of ours stays. */
export function fileError(path: string, error: unknown): PrivateFileError {
  if (error instanceof PrivateFileError) return error;
  const errno = errnoOf(error) ?? "";
  const code = CODES_BY_ERRNO.get(errno) ?? "file-io";
  const message = MESSAGES_BY_ERRNO.get(errno) ?? systemMessage(error);
  const hint = errno === "EACCES" ? { hint: `this runs as uid ${process.geteuid?.()}` } : {};
  return new PrivateFileError(code, `${path}: ${message}`, { cause: error, ...hint });
}

function systemMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "errno" in error && typeof error.errno === "number"
    ? getSystemErrorMessage(error.errno)
    : error.message;
}
