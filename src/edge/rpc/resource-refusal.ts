/** What an operator reads where a server has answered, and has not done what was asked of its configuration. */

import { status, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";

type ResourcesRefusal =
  | "resource-invalid"
  | "resource-unknown"
  | "resource-in-directory"
  | "resource-in-cluster"
  | "resources-full"
  | "resources-failed";

/** The server has answered, and has changed nothing; or it may have, where it has not answered in time. */
export class ResourcesRefusedError extends PortcullisError<ResourcesRefusal> {
  override name = "ResourcesRefusedError";
}

/** Thousands of objects may have to be read, and the disk may be slow. */
export const resourcesTimeoutMs = 30_000;

/** What it is called, and the next command. */
type Refusal = readonly [ResourcesRefusal, string?];

const refusals: ReadonlyMap<status, Refusal> = new Map<status, Refusal>([
  [status.INVALID_ARGUMENT, ["resource-invalid", "portcullis help apply"]],
  [status.NOT_FOUND, ["resource-unknown", "portcullis get -A"]],
  [
    status.FAILED_PRECONDITION,
    ["resource-in-directory", "change the file: the server reads it by itself"],
  ],
  [
    status.ALREADY_EXISTS,
    ["resource-in-cluster", "change it with kubectl: the server follows the cluster by itself"],
  ],
  [
    status.RESOURCE_EXHAUSTED,
    ["resources-full", "portcullis get -A; at most 4 MiB are sent at once"],
  ],
  [status.INTERNAL, ["resources-failed", "the server's own log says why"]],
]);

/** Undefined where no server has answered. */
export function refusalOf({ code, details }: ServiceError): ResourcesRefusedError | undefined {
  if (code === status.DEADLINE_EXCEEDED) {
    const message = `the server has not answered within ${resourcesTimeoutMs / 1_000} s, and may do it yet`;
    const hint = "see what it did before you try again: portcullis get -A";
    return new ResourcesRefusedError("resources-failed", message, { hint });
  }
  const refusal = refusals.get(code);
  if (refusal === undefined) return undefined;
  const [name, hint] = refusal;
  return new ResourcesRefusedError(name, details, hint === undefined ? {} : { hint });
}
