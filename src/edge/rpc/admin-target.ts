/**
 * Where the admin API is called: at a Unix socket of this machine, or by a way that is opened for each call and closed after it. Verbs
 * hand it on, and do not know which.
 */

/** A gRPC target, `unix:///PATH`, or a way. */
export type AdminTarget = string | AdminWay;

export interface AdminWay {
  /** For people: where it leads. */
  readonly name: string;
  /** @throws KubeError */
  open(): Promise<AdminPassage>;
}

/** It is one connection's, and closed with it. */
export interface AdminPassage extends AsyncDisposable {
  /** A gRPC target of this machine. */
  readonly address: string;
  /** Whom the server takes the caller for. */
  readonly token: string;
  /** Why it has ended, if it has. */
  readonly failure: () => Error | undefined;
}

export function targetName(target: AdminTarget): string {
  return typeof target === "string" ? target : target.name;
}
