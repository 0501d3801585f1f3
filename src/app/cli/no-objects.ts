/** Manifests without an object: nobody means that, and a mistyped directory would pass each check. */

import { PortcullisError } from "../../core/error.ts";

class NoObjectsError extends PortcullisError<"manifests-empty"> {
  override name = "NoObjectsError";
}

/**
 * @param paths as the operator named them
 * @param objects of all of them
 * @throws NoObjectsError
 */
export function requireObjects(paths: readonly string[], objects: readonly unknown[]): void {
  if (objects.length > 0) return;
  throw new NoObjectsError("manifests-empty", `no objects in ${paths.join(", ")}`, {
    hint: "-f takes manifests: a file, a directory with files *.yaml, *.yml or *.json, or - for stdin",
  });
}
