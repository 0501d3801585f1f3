/**
 * The unit in which CPU figures are given, so that runs on different machines compare: one P-256
 * signature and one verification, as `openssl speed` measures them in the same run.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { PortcullisError } from "../src/core/error.ts";

export type UnitErrorCode = "unit-openssl-missing" | "unit-output-unexpected";

export class UnitError extends PortcullisError<UnitErrorCode> {
  override name = "UnitError";
}

/** The unit on the machine of the peers: their figures and our targets are stated for it. */
export const REFERENCE_UNIT_MICROS = 100;

/** The last table: seconds for a signature, for a verification; signatures/s, verifications/s. */
const P256_ROW = /\(nistp256\)\s+[\d.]+s\s+[\d.]+s\s+([\d.]+)\s+([\d.]+)/;

/**
 * Microseconds of CPU for one P-256 signature and one verification; takes two seconds.
 *
 * @throws UnitError
 */
export async function measureUnit(signal?: AbortSignal): Promise<number> {
  const options = signal === undefined ? {} : { signal };
  try {
    const { stdout } = await promisify(execFile)(
      "openssl",
      ["speed", "-seconds", "1", "ecdsap256"],
      options,
    );
    return parseSpeed(stdout);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof UnitError) throw cause;
    throw new UnitError("unit-openssl-missing", "openssl speed could not be run", {
      cause,
      hint: "install OpenSSL 1.1.1 or newer and have `openssl` in PATH",
    });
  }
}

/**
 * The times in the table have too few digits; the rates have enough.
 *
 * @throws UnitError `unit-output-unexpected`
 */
export function parseSpeed(output: string): number {
  const [, signatures, verifications] = P256_ROW.exec(output) ?? [];
  const micros = 1e6 / Number(signatures) + 1e6 / Number(verifications);
  if (!Number.isFinite(micros)) {
    throw new UnitError(
      "unit-output-unexpected",
      `expected a row for nistp256 from openssl speed, got ${JSON.stringify(output.slice(-200))}`,
    );
  }
  return micros;
}
