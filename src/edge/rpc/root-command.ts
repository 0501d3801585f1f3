/** One step of a rotation, as an operator asks for it in `portcullis.admin.v1`. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { SentCa } from "../ca/sent-ca.ts";
import {
  PrepareRootSchema,
  type ChangeRootRequestSchema,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";

/** Where a new authority comes from; at most one of them. Without any the server makes a root of its configured type. */
export interface RootSource {
  readonly keyType?: string;
  /** On the server's machine, absolute. */
  readonly fromDir?: string;
  readonly csrForOfflineRoot?: boolean;
}

/** Read elsewhere, its key among it. */
export interface SentSource {
  readonly sent: SentCa;
}

export type RootCommand =
  | { readonly kind: "prepare"; readonly source: RootSource | SentSource }
  | { readonly kind: "activate" }
  | { readonly kind: "rollback" }
  | { readonly kind: "retire" }
  | { readonly kind: "abort" }
  | {
      readonly kind: "compromise";
      readonly authorityId: string;
      readonly replacement?: RootSource;
    };

type CommandMessage = NonNullable<MessageInitShape<typeof ChangeRootRequestSchema>["command"]>;

export function commandMessage(command: RootCommand): CommandMessage {
  switch (command.kind) {
    case "prepare":
      return preparation(command.source);
    case "compromise": {
      const { authorityId, replacement } = command;
      const source = replacement && { replacement: create(PrepareRootSchema, replacement) };
      return { case: "compromise", value: { authorityId, ...source } };
    }
    case "activate":
    case "rollback":
    case "retire":
    case "abort":
      return { case: command.kind, value: {} };
    default:
      return command satisfies never;
  }
}

/** Of its own, so that an older server refuses it, and makes no root of its own in its place. */
function preparation(source: RootSource | SentSource): CommandMessage {
  if (!("sent" in source)) return { case: "prepare", value: create(PrepareRootSchema, source) };
  const { from, files } = source.sent;
  const all = Array.from(files, ([name, content]) => ({ name, content }));
  return { case: "adopt", value: { from, files: all } };
}
