/**
 * What the demo saw: facts from the log lines of the processes, from the Envoys themselves, and
 * about its own deeds. Everything that is shown or judged is made of them.
 */

export const workloadNames = ["client", "server"] as const;

export type WorkloadName = (typeof workloadNames)[number];

export type ProgramName = "control plane" | `${WorkloadName} agent`;

export type Fact = { readonly atMs: number } & FactKind;

type FactKind =
  | { readonly kind: "traffic-started" }
  | { readonly kind: "ready"; readonly address: string }
  | {
      readonly kind: "signed";
      readonly serial: string;
      readonly spiffeId: string;
      readonly notAfterMs: number;
    }
  | {
      readonly kind: "agent-started";
      readonly workload: WorkloadName;
      /** Of the certificate that it found in its state directory. */
      readonly serial: string | undefined;
    }
  | {
      readonly kind: "renewal-failed";
      readonly workload: WorkloadName;
      /** 0 for the first of a streak. */
      readonly attempt: number;
    }
  | { readonly kind: "expired"; readonly workload: WorkloadName; readonly serial: string }
  | {
      readonly kind: "acked";
      readonly workload: WorkloadName;
      readonly secret: string;
      /** Undefined when the secret is a trust bundle. */
      readonly serial: string | undefined;
    }
  | {
      readonly kind: "nacked";
      readonly workload: WorkloadName;
      readonly secret: string;
      readonly detail: string;
    }
  /** Envoy has it in its TLS contexts, and has made connections since. */
  | { readonly kind: "used"; readonly workload: WorkloadName; readonly serial: string }
  /** The first handshake of the demo's own in which the server Envoy presented it. */
  | { readonly kind: "presented"; readonly serial: string }
  | { readonly kind: "killed"; readonly program: ProgramName; readonly pid: number }
  | { readonly kind: "lost"; readonly program: ProgramName; readonly pid: number };

/**
 * Reads one line of a program's diagnostics. @returns undefined for what the demo has no use for
 */
export function parseLogLine(program: ProgramName, line: string): Fact | undefined {
  const fields = parseFields(line);
  const atMs = Date.parse(textOf(fields, "time"));
  if (Number.isNaN(atMs)) return undefined;
  const serial = textOf(fields, "serial");
  if (program === "control plane") return serverFact(fields, atMs, serial);
  const workload = program === "client agent" ? "client" : "server";
  const secret = textOf(fields, "name");
  switch (fields["event"]) {
    case "agent-started":
      return { kind: "agent-started", atMs, workload, serial: serial || undefined };
    case "renewal-failed":
      return { kind: "renewal-failed", atMs, workload, attempt: Number(fields["attempt"]) };
    case "certificate-expired":
      return { kind: "expired", atMs, workload, serial };
    case "secret-acked":
      return { kind: "acked", atMs, workload, secret, serial: serial || undefined };
    case "secret-nacked":
      return { kind: "nacked", atMs, workload, secret, detail: textOf(fields, "detail") };
    default:
      return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function serverFact(fields: Fields, atMs: number, serial: string): Fact | undefined {
  switch (fields["event"]) {
    case "ready":
      return { kind: "ready", atMs, address: textOf(fields, "ca") };
    case "certificate-issued": {
      const notAfterMs = Date.parse(textOf(fields, "notAfter"));
      return { kind: "signed", atMs, serial, spiffeId: textOf(fields, "spiffeId"), notAfterMs };
    }
    default:
      return undefined;
  }
}

function parseFields(line: string): Fields {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Fields) : {};
  } catch {
    return {};
  }
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}
