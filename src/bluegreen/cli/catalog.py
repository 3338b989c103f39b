"""Every verb, where it is, and its line of help: what ``--help`` prints without importing any of them.

A test holds the lines of help equal to those of the verbs themselves.
"""

from __future__ import annotations

from bluegreen.cli.lazy import Entry

_START, _RELEASE, _SEE, _STEER = "Start and converge", "Release", "See", "Steer"
_CHECK, _CLOUD = "Check and set up", "Docker Cloud's commands"

ROOT = {
    "demo": Entry("demo:demo", "Show a switch under load on this machine, from nothing.", _START),
    "up": Entry("up:up", "Bring a stack to what its file says.", _START),
    "down": Entry("down:down", "Remove a stack: its listeners, then its instances.", _START),
    "plan": Entry("up:plan", "Show what `up` would change, and change nothing.", _START),
    "serve": Entry("serve:serve", "Run the controller in the foreground.", _START),
    "balancer": Entry(
        "balancer:balancer",
        "Carry on this box what a controller elsewhere publishes.",
        _START,
    ),
    "deploy": Entry("release:deploy", "Roll out a new release of a service.", _RELEASE),
    "switch": Entry("release:switch", "Move the traffic of a route to a target that runs.", _RELEASE),
    "rollback": Entry("release:rollback", "Go back to the release or color before.", _RELEASE),
    "abort": Entry("release:abort", "End a rollout: clean up, or go back.", _RELEASE),
    "pause": Entry("holding:pause", "Let a rollout go no further on its own.", _RELEASE),
    "resume": Entry("holding:resume", "Let a paused rollout go on where it was.", _RELEASE),
    "promote": Entry(
        "holding:promote", "Skip the rest of a canary or, once all traffic has moved, of the bake.", _RELEASE
    ),
    "status": Entry("status:status", "Show who has the traffic, and what runs.", _SEE),
    "top": Entry("top:top", "Watch services, their traffic and rollouts.", _SEE),
    "ps": Entry("status:ps", "List instances, in rotation or not, and why.", _SEE),
    "logs": Entry("streams:logs", "Print the output of a service or an instance.", _SEE),
    "events": Entry("streams:events", "Print what happened, oldest first.", _SEE),
    "history": Entry("history:history", "List rollouts, newest first.", _SEE),
    "audit": Entry(
        "audit:audit", "List who did what, from where, and what became of it; newest first.", _SEE
    ),
    "inspect": Entry("history:inspect", "Print all that is known of one thing, as JSON.", _SEE),
    "discover": Entry(
        "discover:discover", "Print the live addresses of a service, as a registry has them.", _SEE
    ),
    "scale": Entry("steer:scale", "Have N instances of a service.", _STEER),
    "drain": Entry("steer:drain", "Give an instance no new requests.", _STEER),
    "force": Entry("steer:force_", "Put an instance in or out of rotation, whatever its checks say.", _STEER),
    "restart": Entry("steer:restart", "Restart an instance so that no request notices.", _STEER),
    "ready": Entry(
        "steer:ready", "Take back `drain` or `force`: the checks of an instance decide again.", _STEER
    ),
    "lock": Entry("lock:lock", "Let nothing new be released for now, and say why.", _STEER),
    "unlock": Entry("lock:unlock", "Take a lock away, whoever gave it.", _STEER),
    "maintenance": Entry(
        "maintenance:maintenance", "Answer everybody on a route with 503 and a page, or end that.", _STEER
    ),
    "box": Entry("groups:box", "See and forget the balancers on other boxes.", _STEER),
    "check": Entry("check:check", "Report every problem of a stack file at once.", _CHECK),
    "schema": Entry("check:schema", "Print the JSON Schema of stack files, for editors.", _CHECK),
    "doctor": Entry("doctor:doctor", "Diagnose this machine and the controller.", _CHECK),
    "export": Entry("groups:export", "Print configurations for other programs.", _CHECK),
    "token": Entry("groups:token", "Say who may come in by the network, and as whom.", _CHECK),
    "hook": Entry("groups:hook", "Say what may be released by a signed message, without a token.", _CHECK),
    "whoami": Entry("audit:whoami", "Say who you are to the controller, and what you may do.", _CHECK),
    "dial-stdio": Entry(
        "dial:dial_stdio", "Join stdin and stdout to the controller's socket, for `--host ssh://`.", _CHECK
    ),
    "completion": Entry("completion:completion", "Print the completion script for a shell.", _CHECK),
    "service": Entry("groups:service", "Docker Cloud's verbs for services and balancers.", _CLOUD),
    "stack": Entry("groups:stack", "Docker Cloud's verbs for stacks.", _CLOUD),
    "container": Entry("groups:container", "Docker Cloud's verbs for containers (instances).", _CLOUD),
    "exec": Entry("container:exec_", "Run a command inside an instance.", _CLOUD),
}

SERVICE = {
    "set": Entry("service_set:set_", "Change the definition of a service or balancer."),
    "redeploy": Entry("service:redeploy", "Converge to the definition, without an outage."),
    "ps": Entry("service:ps", "List services and balancers; (*) marks those not synchronized."),
    "scale": Entry("service:scale", "Have N instances of each service."),
    "inspect": Entry("service:inspect", "Print all that is known of services, as JSON."),
    "logs": Entry("service:logs", "Print the output of services."),
    "start": Entry("service:start", "Start stopped or terminated services."),
    "stop": Entry("service:stop", "Stop every instance of services, and keep them."),
    "terminate": Entry("service:terminate", "Remove every instance of services."),
    "env": Entry("groups:env", "Show and change the environment of services."),
    "create": Entry("elsewhere:service_create", "Not offered: services are declared in a stack file."),
    "run": Entry("elsewhere:service_run", "Not offered: services are declared in a stack file."),
}

ENV = {
    "ls": Entry("service_env:ls", "Show the environment a service is to have."),
    "add": Entry("service_env:add", "Add variables that are not there yet."),
    "set": Entry("service_env:set_", "Replace all variables."),
    "update": Entry("service_env:update", "Change variables that are there, add others."),
    "rm": Entry("service_env:rm", "Remove variables."),
}

STACK = {
    "up": Entry("up:up", "Bring a stack to what its file says."),
    "update": Entry("up:up", "Bring a stack to what its file says."),
    "ls": Entry("stack:ls", "List stacks."),
    "inspect": Entry("stack:inspect", "Print stacks as they are wanted, as JSON."),
    "start": Entry("stack:start", "Start every service of stacks."),
    "stop": Entry("stack:stop", "Stop every service of stacks, and keep them."),
    "redeploy": Entry("stack:redeploy", "Release every service of stacks anew."),
    "terminate": Entry("stack:terminate", "Remove stacks."),
    "export": Entry("stack:export", "Print a stack's definition."),
    "create": Entry("elsewhere:stack_create", "Not offered: use `stack up`."),
}

CONTAINER = {
    "ps": Entry("status:ps", "List instances, in rotation or not, and why."),
    "inspect": Entry("container:inspect", "Print instances as their runtime reports them, as JSON."),
    "logs": Entry("container:logs", "Print the output of instances."),
    "exec": Entry("container:exec_", "Run a command inside an instance."),
    "start": Entry("elsewhere:container_start", "Not offered: start the service."),
    "stop": Entry("elsewhere:container_stop", "Not offered: drain it, or scale its service."),
    "terminate": Entry("elsewhere:container_terminate", "Not offered: scale its service."),
    "redeploy": Entry("elsewhere:container_redeploy", "Not offered: redeploy its service."),
}

EXPORT = {
    "monit": Entry("export:monit", "Print a monit configuration for what runs now."),
    "haproxy": Entry("export:haproxy", "Print the HAProxy configuration for a dedicated box."),
    "env": Entry("export_env:env", "Print where a service's links are, as Docker Cloud's variables."),
    "nginx": Entry("export:nginx", "Print the NGINX configuration for a dedicated box."),
}

TOKEN = {
    "create": Entry("token:create", "Make a token, and print it this once."),
    "ls": Entry("token:ls", "List tokens."),
    "rm": Entry("token:rm", "Withdraw a token, by its name or id: it opens nothing from now on."),
}

BOX = {
    "ls": Entry("box:ls", "List the balancers on other boxes: who follows, who is missed."),
    "forget": Entry("box:forget", "Miss a box no more that is gone for good."),
}

HOOK = {
    "create": Entry("hook:create", "Make a deploy hook, and print its secret this once."),
    "ls": Entry("hook:ls", "List deploy hooks, without their secrets."),
    "rm": Entry("hook:rm", "Remove a deploy hook: what it signed is refused from now on."),
}
