"""Environments compiled for the processor: one step of one lane in place, and of all lanes.

`classic_control` and `grid_world` say what each environment's constants are. Every operation is rounded
by itself in the order that is written, which is Gymnasium's. An environment is a code, so that a
compiled loop over steps can be handed any of them: `begin_env`, `step_env` and
`observe_env` choose by it.

A state is one row of float64; `constants` float64, `moves` int64 `[cells, actions]`, empty where the
environment has none.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ablation.envs.codes import ACROBOT, CART_POLE, GRID_WORLD, MOUNTAIN_CAR
from ablation.envs.generators import first_uniforms
from ablation.numerics.compiled import compiled
from ablation.numerics.elementary import cos, sin

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Outcome = tuple[float, bool]
"""The reward of a step, and whether it terminated the episode."""


@compiled
def cart_pole_step(state: Doubles, action: int, constants: Doubles) -> Outcome:
    """Push the cart left (0) or right (1); the reward is 1, and the episode ends when the pole fell."""
    gravity, mass_cart, mass_pole, half_length = constants[0], constants[1], constants[2], constants[3]
    strength, seconds, largest_angle, largest = constants[4], constants[5], constants[6], constants[7]
    total_mass = mass_pole + mass_cart
    pole_moment = mass_pole * half_length
    position, velocity, angle, angular_velocity = state[0], state[1], state[2], state[3]
    force = (2 * action - 1) * strength
    cosine, sine = cos(angle), sin(angle)
    push = (force + pole_moment * (angular_velocity * angular_velocity) * sine) / total_mass
    angular_acceleration = (gravity * sine - cosine * push) / (
        half_length * (4.0 / 3.0 - mass_pole * (cosine * cosine) / total_mass)
    )
    acceleration = push - pole_moment * angular_acceleration * cosine / total_mass
    state[0] = position + seconds * velocity
    state[1] = velocity + seconds * acceleration
    state[2] = angle + seconds * angular_velocity
    state[3] = angular_velocity + seconds * angular_acceleration
    return 1.0, abs(state[0]) > largest or abs(state[2]) > largest_angle


@compiled
def _clip(value: float, low: float, high: float) -> float:
    value = low if value < low else value
    return high if value > high else value


@compiled
def mountain_car_step(state: Doubles, action: int, constants: Doubles) -> Outcome:
    """Push left (0), not at all or right (2); the reward is -1 until the car is at the goal."""
    lowest, highest, fastest, goal = constants[0], constants[1], constants[2], constants[3]
    force, gravity = constants[4], constants[5]
    position, velocity = state[0], state[1]
    velocity += (action - 1) * force + cos(3 * position) * -gravity
    velocity = _clip(velocity, -fastest, fastest)
    position = _clip(position + velocity, lowest, highest)
    if position == lowest and velocity < 0:
        velocity = 0.0
    state[0], state[1] = position, velocity
    return -1.0, position >= goal and velocity >= 0


@compiled
def _acrobot_derivative(
    state: tuple[float, float, float, float], torque: float, g: float, c: float
) -> tuple[float, float, float, float]:
    first, second, first_velocity, second_velocity = state
    cosine, sine = cos(second), sin(second)
    d1 = c * c + (1.0 + c * c + 2 * c * cosine) + 1.0 + 1.0
    d2 = (c * c + c * cosine) + 1.0
    phi2 = c * g * cos(first + second - math.pi / 2.0)
    phi1 = (
        -c * (second_velocity * second_velocity) * sine
        - 2 * c * second_velocity * first_velocity * sine
        + (c + 1.0) * g * cos(first - math.pi / 2)
        + phi2
    )
    pull = torque + d2 / d1 * phi1 - c * (first_velocity * first_velocity) * sine - phi2
    second_acceleration = pull / (c * c + 1.0 - d2 * d2 / d1)
    first_acceleration = -(d2 * second_acceleration + phi1) / d1
    return first_velocity, second_velocity, first_acceleration, second_acceleration


@compiled
def _moved(
    state: tuple[float, float, float, float],
    seconds: float,
    slope: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:
    return (
        state[0] + seconds * slope[0],
        state[1] + seconds * slope[1],
        state[2] + seconds * slope[2],
        state[3] + seconds * slope[3],
    )


@compiled
def _wrapped(angle: float) -> float:
    """Return an angle within +-pi; at the largest velocities a step is less than two turns."""
    for _ in range(2):
        if angle > math.pi:
            angle -= 2 * math.pi
        if angle < -math.pi:
            angle += 2 * math.pi
    return angle


@compiled
def acrobot_step(state: Doubles, action: int, constants: Doubles) -> Outcome:
    """Turn the second link by a torque of -1, 0 or 1; the reward is -1 until the tip is high enough.

    The classical Runge-Kutta method of fourth order takes one step.
    """
    gravity, center, seconds = constants[0], constants[1], constants[2]
    before, torque = (state[0], state[1], state[2], state[3]), float(action - 1)
    k1 = _acrobot_derivative(before, torque, gravity, center)
    k2 = _acrobot_derivative(_moved(before, seconds / 2.0, k1), torque, gravity, center)
    k3 = _acrobot_derivative(_moved(before, seconds / 2.0, k2), torque, gravity, center)
    k4 = _acrobot_derivative(_moved(before, seconds, k3), torque, gravity, center)
    for part in range(4):
        slope = k1[part] + 2 * k2[part] + 2 * k3[part] + k4[part]
        state[part] = before[part] + seconds / 6.0 * slope
    state[0], state[1] = _wrapped(state[0]), _wrapped(state[1])
    state[2] = _clip(state[2], -constants[3], constants[3])
    state[3] = _clip(state[3], -constants[4], constants[4])
    high = -cos(state[0]) - cos(state[1] + state[0]) > 1.0
    return 0.0 if high else -1.0, high


@compiled
def grid_world_step(state: Doubles, action: int, constants: Doubles, moves: Integers) -> Outcome:
    """Move to the next cell; the reward is -1 until it is the goal."""
    state[0] = moves[int(state[0]), action]
    return -1.0, state[0] == constants[0]


@compiled
def step_env(code: int, state: Doubles, action: int, constants: Doubles, moves: Integers) -> Outcome:
    """Change a lane's state by an action; return the reward and whether the episode terminated."""
    if code == CART_POLE:
        return cart_pole_step(state, action, constants)
    if code == MOUNTAIN_CAR:
        return mountain_car_step(state, action, constants)
    if code == ACROBOT:
        return acrobot_step(state, action, constants)
    return grid_world_step(state, action, constants, moves)


@compiled
def begin_env(code: int, seed: int, constants: Doubles, state: Doubles) -> None:
    """Write the first state of the episode that Gymnasium resets with a seed."""
    if code == GRID_WORLD:
        state[0] = constants[1]
        return
    low, high, drawn = -0.1, 0.1, len(state)
    if code == CART_POLE:
        low, high = -constants[8], constants[8]
    elif code == MOUNTAIN_CAR:
        low, high, drawn = -0.6, -0.4, 1
    first_uniforms(seed, state[:drawn])
    for part in range(drawn):
        state[part] = low + (high - low) * state[part]
        if code == ACROBOT:  # as Gymnasium does
            state[part] = np.float32(state[part])
    state[drawn:] = 0


@compiled
def observe_env(code: int, state: Doubles, observation: NDArray[np.float32]) -> None:
    """Write what one lane observes of its state."""
    if code == ACROBOT:
        observation[0], observation[1] = cos(state[0]), sin(state[0])
        observation[2], observation[3] = cos(state[1]), sin(state[1])
        observation[4], observation[5] = state[2], state[3]
    elif code == GRID_WORLD:
        observation[:] = 0
        observation[int(state[0])] = 1
    else:
        for part in range(len(state)):
            observation[part] = state[part]


@compiled
def begin_lanes(code: int, seeds: Integers, constants: Doubles, state: Doubles) -> None:
    """Write the first states `[N, S]` of the episodes of seeds `[N]`."""
    for row in range(len(seeds)):
        begin_env(code, seeds[row], constants, state[row])


@compiled
def step_lanes(
    code: int,
    constants: Doubles,
    moves: Integers,
    state: Doubles,
    actions: Integers,
    active: NDArray[np.bool_],
    reward: NDArray[np.float32],
    terminated: NDArray[np.bool_],
) -> None:
    """Step every active lane; the others stay where they are, with no reward and no end."""
    for lane in range(len(state)):
        reward[lane], terminated[lane] = 0.0, False
        if active[lane]:
            outcome = step_env(code, state[lane], actions[lane], constants, moves)
            reward[lane], terminated[lane] = outcome


@compiled
def observe_lanes(code: int, state: Doubles, observation: NDArray[np.float32]) -> None:
    """Write the observations `[L, O]` of states `[L, S]`."""
    for lane in range(len(state)):
        observe_env(code, state[lane], observation[lane])
