/** What an audit can find wrong with a log. */

import type { AuditFaultCode } from "../../core/log/audit.ts";

export interface LogFault {
  /** Of the entry that it was found at; the log's size for what concerns all of it. */
  readonly index: number;
  readonly code:
    | AuditFaultCode
    | "entry-missing"
    | "index-wrong"
    | "pruned-wrong"
    | "restored-wrong"
    | "head-wrong"
    | "tile-wrong"
    | "entry-changed"
    | "root-wrong"
    | "rolled-back"
    | "forked"
    | "database-wrong";
  readonly message: string;
}
