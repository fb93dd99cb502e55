/** Values of the parameter by which the control function stops and starts a source that runs as a function. */
export const INTAKE_STOPPED = 'stopped';
export const INTAKE_ON = 'on';
