/**
 * A token's PIN, read from its file each time it is needed and kept nowhere. No message shows any
 * of it.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { errnoOf } from "../config/errno.ts";
import { Pkcs11Error } from "./pkcs11-error.ts";

/** Tokens take fewer: SoftHSM 255, most hardware 32. */
const PIN_BYTES_MAX = 255;

/**
 * One line feed at the end is the editor's and not the PIN's.
 *
 * @throws Pkcs11Error `pkcs11-pin-file`
 */
export function readPin(path: string): string {
  const bytes = readRegularFile(path);
  const text = bytes.toString("utf8").replace(/\r?\n$/, "");
  if (text === "" || /[\p{Cc}\uFFFD]/u.test(text)) {
    throw pinFileError(path, "expected one line of UTF-8 text");
  }
  return text;
}

function readRegularFile(path: string): Buffer {
  let descriptor: number | undefined;
  try {
    // O_NONBLOCK, since opening a FIFO for reading would wait for a writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw pinFileError(path, "expected a file");
    // A group may be let in on purpose, as Kubernetes does for a volume; everybody never is.
    if ((stats.mode & 0o007) !== 0) {
      throw pinFileError(path, "expected a file that is closed to others", `chmod o= '${path}'`);
    }
    const buffer = Buffer.alloc(PIN_BYTES_MAX + 2);
    const length = readSync(descriptor, buffer);
    if (length > PIN_BYTES_MAX + 1) {
      throw pinFileError(path, `expected a PIN of at most ${PIN_BYTES_MAX} bytes`);
    }
    return buffer.subarray(0, length);
  } catch (error) {
    if (error instanceof Pkcs11Error) throw error;
    throw pinFileError(path, `cannot be read: ${errnoOf(error) ?? "unknown error"}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function pinFileError(path: string, reason: string, hint?: string): Pkcs11Error {
  const options = hint === undefined ? {} : { hint };
  return new Pkcs11Error("pkcs11-pin-file", `${path}: ${reason}`, options);
}
