/**
 * A vendor's PKCS#11 library ("module"), loaded into this process and initialised. It is never
 * unloaded, and finalised only to begin anew: sessions and the login belong to the whole process,
 * whose other threads may be signing.
 */

import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import type { Handle, PKCS11 } from "pkcs11js";
import { Pkcs11Error } from "./pkcs11-error.ts";

/** The native library's constants, by the standard's names. */
export type Constants = typeof import("pkcs11js");

export interface CryptokiModule {
  readonly constants: Constants;
  readonly functions: PKCS11;
}

/** Of this thread, by path. What is here is not collected, and so not unloaded. */
const loaded = new Map<string, PKCS11>();

/** @throws Pkcs11Error `pkcs11-library-missing`, `pkcs11-module-unusable` */
export function loadModule(path: string): CryptokiModule {
  const module = find(path);
  initialize(module, path, isMainThread);
  loaded.set(path, module.functions);
  return module;
}

/** Loads the module without a call to it. @throws Pkcs11Error `pkcs11-library-missing`, `pkcs11-module-unusable` */
export function holdModule(path: string): void {
  loaded.set(path, find(path).functions);
}

/**
 * Initialises the module anew: SoftHSM, among others, takes a token that was away for broken until
 * then. It ends all sessions of the process (PKCS#11 3.1, 5.4): only for a thread while no other
 * one uses the module.
 *
 * @throws Pkcs11Error `pkcs11-library-missing`, `pkcs11-module-unusable`
 */
export function restartModule(path: string): void {
  const module = find(path);
  try {
    module.functions.C_Finalize();
  } catch {
    // It was not initialised, or is beyond help: what comes next says which.
  }
  initialize(module, path, true);
  loaded.set(path, module.functions);
}

/**
 * CK_ULONG as the module writes it: in the machine's byte order, and of eight bytes where we run.
 */
export function readUlong(bytes: Uint8Array): bigint {
  return new BigUint64Array(Uint8Array.from(bytes).buffer)[0] ?? 0n;
}

/** The module's own name for what went wrong: `CKR_DEVICE_REMOVED`. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  const isVendors = error.message === "CKR_VENDOR_DEFINED" && "code" in error;
  return isVendors ? `CKR_VENDOR_DEFINED + ${Number(error.code) - 2 ** 31}` : error.message;
}

export function hasFailedWith(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}

/** The object's value of one attribute; undefined where it has none or does not show it. */
export function readAttribute(
  { constants, functions }: CryptokiModule,
  session: Handle,
  object: Handle,
  type: number,
): Uint8Array | undefined {
  try {
    const [attribute] = functions.C_GetAttributeValue(session, object, [{ type }]);
    return Buffer.isBuffer(attribute?.value) ? attribute.value : undefined;
  } catch (error) {
    const { CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_SENSITIVE } = constants;
    if (hasFailedWith(error, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_SENSITIVE)) return undefined;
    throw error;
  }
}

function find(path: string): CryptokiModule {
  const constants = requireLibrary();
  return { constants, functions: loaded.get(path) ?? load(constants, path) };
}

/** Only here, so that who has no HSM needs no compiler. */
function requireLibrary(): Constants {
  try {
    return createRequire(import.meta.url)("pkcs11js") as Constants;
  } catch (cause) {
    throw new Pkcs11Error("pkcs11-library-missing", "the package pkcs11js cannot be loaded", {
      cause,
      hint: "npm install pkcs11js needs a C++ compiler, make and Python",
    });
  }
}

function load(constants: Constants, path: string): PKCS11 {
  const functions = new constants.PKCS11();
  try {
    functions.load(path);
    return functions;
  } catch (cause) {
    throw new Pkcs11Error(
      "pkcs11-module-unusable",
      `${path}: expected a PKCS#11 module, got: ${describeFailure(cause)}`,
      { cause, hint: "module-path is the vendor's PKCS#11 library, for this architecture" },
    );
  }
}

/**
 * @param mayInitialize for one thread at a time: several that call C_Initialize at the same moment,
 * which no module has to stand (PKCS#11 3.1, 5.4), crash the process in SoftHSM
 */
function initialize(
  { constants, functions }: CryptokiModule,
  path: string,
  mayInitialize: boolean,
): void {
  const { CKF_OS_LOCKING_OK, CKR_CRYPTOKI_ALREADY_INITIALIZED } = constants;
  try {
    if (mayInitialize) functions.C_Initialize({ flags: CKF_OS_LOCKING_OK });
    else functions.C_GetInfo();
  } catch (cause) {
    if (hasFailedWith(cause, CKR_CRYPTOKI_ALREADY_INITIALIZED)) return;
    const hint = mayInitialize
      ? "check the module's own configuration, and that this user may read it"
      : "the main thread must open a signer before any other does";
    throw new Pkcs11Error(
      "pkcs11-module-unusable",
      `${path}: the module does not start: ${describeFailure(cause)}`,
      { cause, hint },
    );
  }
}
