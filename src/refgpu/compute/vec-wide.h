/*
 * Lane loops for operations whose destination and sources differ in width: all is read before anything is written, so
 * registers may overlap.  Part of vec.h.
 */
#ifndef PL_REFGPU_COMPUTE_VEC_WIDE_H
#define PL_REFGPU_COMPUTE_VEC_WIDE_H

#define HW1(name, TD, TA, expr)                                                                                        \
	static void name##_f(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		_Alignas(64) TD r[32];                                                                                 \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			r[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		LANES_LOOP d[i] = r[i];                                                                                \
		PL_SM_NEXT_FULL;                                                                                       \
	}                                                                                                              \
	static void name##_p(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		_Alignas(64) TD r[32];                                                                                 \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			r[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		LANES_LOOP KEEP(TD, d, r[i]);                                                                          \
		PL_SM_NEXT;                                                                                            \
	}                                                                                                              \
	static const pl_sm_fn name[4] = { name##_f, name##_p, name##_f, name##_p };

#define HW2_ONE(name, TD, TA, TB, take_b, read_b, expr)                                                                \
	static void name##_f(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		_Alignas(64) TD r[32];                                                                                 \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		take_b;                                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TB y = read_b;                                                                                 \
			r[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		LANES_LOOP d[i] = r[i];                                                                                \
		PL_SM_NEXT_FULL;                                                                                       \
	}                                                                                                              \
	static void name##_p(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		_Alignas(64) TD r[32];                                                                                 \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		take_b;                                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TB y = read_b;                                                                                 \
			r[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		LANES_LOOP KEEP(TD, d, r[i]);                                                                          \
		PL_SM_NEXT;                                                                                            \
	}
#define HW2(name, TD, TA, TB, expr)                                                                                    \
	HW2_ONE(name##_r, TD, TA, TB, TAKE_R(TB), b[i], expr)                                                          \
	HW2_ONE(name##_s, TD, TA, TB, TAKE_S(TB), s, expr)                                                             \
	static const pl_sm_fn name[4] = { name##_r_f, name##_r_p, name##_s_f, name##_s_p };

#define HW3_ONE(name, TD, TA, TB, TC, take_b, read_b, expr)                                                            \
	static void name##_f(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		_Alignas(64) TD r[32];                                                                                 \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		const TC *c = PL_SM_REG(TC, c);                                                                        \
		take_b;                                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TB y = read_b;                                                                                 \
			TC z = c[i];                                                                                   \
			r[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		LANES_LOOP d[i] = r[i];                                                                                \
		PL_SM_NEXT_FULL;                                                                                       \
	}                                                                                                              \
	static void name##_p(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		_Alignas(64) TD r[32];                                                                                 \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		const TC *c = PL_SM_REG(TC, c);                                                                        \
		take_b;                                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TB y = read_b;                                                                                 \
			TC z = c[i];                                                                                   \
			r[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		LANES_LOOP KEEP(TD, d, r[i]);                                                                          \
		PL_SM_NEXT;                                                                                            \
	}
#define HW3(name, TD, TA, TB, TC, expr)                                                                                \
	HW3_ONE(name##_r, TD, TA, TB, TC, TAKE_R(TB), b[i], expr)                                                      \
	HW3_ONE(name##_s, TD, TA, TB, TC, TAKE_S(TB), s, expr)                                                         \
	static const pl_sm_fn name[4] = { name##_r_f, name##_r_p, name##_s_f, name##_s_p };

#endif
