/**
 * The doors of the admin API, as interceptors of its two servers: whoever comes over the network shows a token before a word of his
 * request is read, and is named by what it proves; whoever comes by the Unix socket is whoever he says, but never a verified name.
 */

import {
  Metadata,
  ServerInterceptingCall,
  status,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import { isVerifiedOperator } from "../../core/operator.ts";
import type { AskedContent } from "../../core/kube/who/admin-permissions.ts";

export interface Admitted {
  /** His name for the log. */
  readonly operator: string;
  /** @param method as the service has it, `getStatus`. @throws what keeps him from it */
  allow(method: string, asked: AskedContent): Promise<void>;
}

export interface AdminDoor {
  /** @param authorization all values of the call's metadata. @throws what keeps whoever brings it out */
  readonly enter: (authorization: readonly string[]) => Promise<Admitted>;
  readonly refusalOf: (error: unknown) => Refusal;
}

export interface Refusal {
  readonly code: status;
  readonly details: string;
}

/** Any message of the API; those of commands have an operator. */
type AdminRequest = AskedContent & { operator?: unknown };

/**
 * For a server on the network.
 * @param onEntered told of the `ADDRESS:PORT` that somebody has come from whom the door knows
 */
export function admitVerified(
  { enter, refusalOf }: AdminDoor,
  onEntered: (peer: string) => void,
): ServerInterceptor {
  return (method, call) => {
    const name = localNameOf(method.path);
    const refuse = (error: unknown): void => call.sendStatus(answerOf(refusalOf(error)));
    let admitted: Admitted | undefined;
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, next) => {
            const authorization = metadata.get("authorization").map(String);
            // No handler ever sees it.
            metadata.remove("authorization");
            enter(authorization).then((visitor) => {
              admitted = visitor;
              onEntered(call.getPeer());
              next(metadata);
            }, refuse);
          },
          onReceiveMessage: (message: AdminRequest, next) => {
            const visitor = admitted;
            if (visitor === undefined) return refuse(undefined);
            visitor.allow(name, message).then(() => {
              if ("operator" in message) message.operator = visitor.operator;
              next(message);
            }, refuse);
          },
        });
      },
    });
  };
}

/** For the Unix socket, whose mode says who comes. */
export function admitClaimed(): ServerInterceptor {
  return (_, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMessage: (message: AdminRequest, next) => {
            const { operator } = message;
            if (typeof operator !== "string" || !isVerifiedOperator(operator)) return next(message);
            const details = `expected a name that is claimed, got ${JSON.stringify(operator.slice(0, 100))}`;
            refuseClaim(call, details);
          },
        });
      },
    });
}

function refuseClaim(call: ServerInterceptingCallInterface, details: string): void {
  call.sendStatus(answerOf({ code: status.INVALID_ARGUMENT, details }));
}

function answerOf({ code, details }: Refusal): Refusal & { readonly metadata: Metadata } {
  return { code, details, metadata: new Metadata() };
}

/** `/portcullis.admin.v1.AdminService/GetStatus` -> `getStatus` */
function localNameOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return name.slice(0, 1).toLowerCase() + name.slice(1);
}
