import { PortcullisError } from "../../core/error.ts";

export type DemoErrorCode =
  | "demo-program-lost"
  | "demo-envoy-silent"
  | "demo-too-slow"
  | "demo-command-refused"
  | "demo-no-free-port";

/** The demo could not be played to its end, which is not the same as a verdict against it. */
export class DemoError extends PortcullisError<DemoErrorCode> {
  override name = "DemoError";
}
