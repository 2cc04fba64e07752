// Next decides about telemetry before it reads its own settings.
process.env.NEXT_TELEMETRY_DISABLED = "1";
await import("next/dist/bin/next");
