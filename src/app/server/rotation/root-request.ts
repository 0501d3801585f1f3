/** Where an operator wants a new authority from, as `PrepareRoot` says it. */

import { PortcullisError } from "../../../core/error.ts";
import type { RootKeyType } from "../../../edge/config/server-settings.ts";
import type { PrepareRoot } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { AuthorityRequest } from "./rotation-authorities.ts";

export type RootSource =
  | AuthorityRequest
  /** A key is made, and an offline root is asked for its certificate. */
  | { readonly kind: "offline"; readonly keyType: RootKeyType };

const keyTypes: readonly RootKeyType[] = ["p256", "p384", "rsa3072", "rsa4096"];

export class RootRequestError extends PortcullisError<
  "root-source" | "root-key-type" | "root-command"
> {
  override name = "RootRequestError";
}

type SourceRequest = Omit<PrepareRoot, "$typeName" | "$unknown">;

/** Whether it says where from. */
export function isSource(request: SourceRequest | undefined): boolean {
  if (request === undefined) return false;
  return request.keyType !== "" || request.fromDir !== "" || request.csrForOfflineRoot;
}

/** @param usual where the request names no type. @throws RootRequestError */
export function parseSource(
  { keyType: text, fromDir, csrForOfflineRoot }: SourceRequest,
  usual: RootKeyType,
): RootSource {
  if (fromDir !== "" && (csrForOfflineRoot || text !== "")) {
    throw new RootRequestError("root-source", "expected a directory alone, or no directory", {
      hint: "a key type is for a root or a key that is made here",
    });
  }
  if (fromDir !== "") return { kind: "directory", path: fromDir };
  const keyType = text === "" ? usual : keyTypes.find((each) => each === text);
  if (keyType === undefined) {
    throw new RootRequestError(
      "root-key-type",
      `expected one of ${keyTypes.join(", ")}, got ${JSON.stringify(text.slice(0, 100))}`,
    );
  }
  return { kind: csrForOfflineRoot ? "offline" : "own", keyType };
}
