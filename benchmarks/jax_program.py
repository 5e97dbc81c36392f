"""A DQN over many seeds, jitted as one JAX program, environment included: a peer to measure against.

It uses nothing of ours but the setting, and JAX's own idiom throughout: `vmap` over seeds, `scan` over
steps.
"""

from __future__ import annotations

import os
import time
from itertools import pairwise
from typing import Any, NamedTuple

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import optax

from benchmarks.setting import CAPACITY, HIDDEN, WARM_UP

TARGET_PERIOD = 500
SIZES = (4, *HIDDEN, 2)
OPTIMISER = optax.adam(5e-4)


class Carry(NamedTuple):
    """All that one seed carries from step to step."""

    parameters: Any
    target: Any
    moments: Any
    state: jax.Array
    length: jax.Array
    items: jax.Array
    key: jax.Array


def initial(key: jax.Array) -> Any:
    """Return weights and biases, uniform in +-1/sqrt(inputs)."""
    layers = []
    for width, height in pairwise(SIZES):
        key, weight, bias = jax.random.split(key, 3)
        bound = width**-0.5
        layers.append(
            (
                jax.random.uniform(weight, (width, height), minval=-bound, maxval=bound),
                jax.random.uniform(bias, (height,), minval=-bound, maxval=bound),
            )
        )
    return layers


def values(parameters: Any, observation: jax.Array) -> jax.Array:
    """Return action values."""
    for weight, bias in parameters[:-1]:
        observation = jax.nn.relu(observation @ weight + bias)
    weight, bias = parameters[-1]
    return observation @ weight + bias


def cart_pole(state: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the next state and whether the pole fell."""
    _, velocity, angle, spin = state
    force = jnp.where(action == 1, 10.0, -10.0)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    push = (force + 0.05 * spin**2 * sine) / 1.1
    turn = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
    pull = push - 0.05 * turn * cosine / 1.1
    after = state + 0.02 * jnp.stack((velocity, pull, spin, turn))
    fell = (jnp.abs(after[0]) > 2.4) | (jnp.abs(after[2]) > 12 * 2 * jnp.pi / 360)
    return after, fell


def loss(parameters: Any, target: Any, batch: jax.Array) -> jax.Array:
    """Return Huber's loss of a batch of rows (observation, action, reward, discount, next)."""
    now, ahead = batch[:, :4], batch[:, 7:]
    taken = jnp.take_along_axis(values(parameters, now), batch[:, 4:5].astype(int), 1)[:, 0]
    goal = batch[:, 5] + batch[:, 6] * values(target, ahead).max(1)
    return optax.huber_loss(taken, jax.lax.stop_gradient(goal)).mean()


def interact(carry: Carry, number: jax.Array) -> Carry:
    """Take one environment step and store the transition."""
    key, explores, chooses, resets = jax.random.split(carry.key, 4)
    greedy = values(carry.parameters, carry.state).argmax()
    action = jnp.where(jax.random.uniform(explores) < 0.1, jax.random.randint(chooses, (), 0, 2), greedy)
    after, fell = cart_pole(carry.state, action)
    length = carry.length + 1
    ended = fell | (length >= 500)
    discount = jnp.where(fell, 0.0, 0.99)
    item = jnp.concatenate((carry.state, jnp.stack((action.astype(float), 1.0, discount)), after))
    fresh = jax.random.uniform(resets, (4,), minval=-0.05, maxval=0.05)
    return carry._replace(
        state=jnp.where(ended, fresh, after),
        length=jnp.where(ended, 0, length),
        items=jax.lax.dynamic_update_index_in_dim(carry.items, item, number % CAPACITY, 0),
        key=key,
    )


def learn(carry: Carry, number: jax.Array, batch_size: int) -> Carry:
    """Take one gradient step."""
    key, draws = jax.random.split(carry.key)
    size = jnp.minimum(number + 1, CAPACITY)
    rows = jax.random.randint(draws, (batch_size,), 0, size)
    gradient = jax.grad(loss)(carry.parameters, carry.target, carry.items[rows])
    change, moments = OPTIMISER.update(gradient, carry.moments)
    parameters = optax.apply_updates(carry.parameters, change)
    refresh = number % TARGET_PERIOD == 0
    target = jax.tree.map(lambda new, old: jnp.where(refresh, new, old), parameters, carry.target)
    return carry._replace(parameters=parameters, target=target, moments=moments, key=key)


def program(steps: int, batch_size: int, period: int, learns: bool) -> Any:
    """Return a compiled function (carry, first step) -> carry of `steps` steps in every lane."""
    interacts = jax.vmap(interact, in_axes=(0, None))
    learner = jax.vmap(lambda carry, number: learn(carry, number, batch_size), in_axes=(0, None))

    def block(carry: Carry, first: jax.Array) -> tuple[Carry, None]:
        for offset in range(period):
            carry = interacts(carry, first + offset)
        return (learner(carry, first + period - 1) if learns else carry), None

    def run(carry: Carry, first: jax.Array) -> Any:
        last, _ = jax.lax.scan(block, carry, first + jnp.arange(0, steps, period))
        return last

    return jax.jit(run, donate_argnums=0)


def start(lanes: int) -> Any:
    """Return what all lanes begin with."""

    def one(key: jax.Array) -> Carry:
        parameters = initial(key)
        return Carry(
            parameters,
            jax.tree.map(jnp.copy, parameters),
            OPTIMISER.init(parameters),
            jnp.zeros(4),
            jnp.zeros((), int),
            jnp.zeros((CAPACITY, 11)),
            key,
        )

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), lanes))


def jax_steps_per_second(lanes: int, steps: int, batch_size: int, period: int) -> float:
    """Return lane steps a second, learning at every `period`-th."""
    carry = program(WARM_UP, batch_size, period, False)(start(lanes), jnp.asarray(0))
    run = program(steps, batch_size, period, True)
    carry = jax.block_until_ready(run(carry, jnp.asarray(WARM_UP)))
    began = time.perf_counter()
    jax.block_until_ready(run(carry, jnp.asarray(WARM_UP + steps)))
    return lanes * steps / (time.perf_counter() - began)
